import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  closeSync,
  mkdirSync,
  openSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { expect, test } from 'vitest';
import type { Answer, Output } from '../../../../daemon/engine/owner/protocol.ts';
import { doIt, Folder, inoOf, isRoot, OWNER, TAG } from './support.ts';

const DONE: Answer = { ok: true, notes: [] };

/** One job's output, and what slurmstepd does to it. */
class Job implements Disposable {
  readonly folder = new Folder();
  readonly outputs: Output[];
  /** As slurmstepd opens it before the task is there. */
  #opened: number | null = null;

  constructor(text: string | null = 'line 1\nline 2\nlate\n') {
    const path = text === null ? this.folder.at('out') : this.folder.file('out', text);
    this.outputs = [{ path, ino: text === null ? null : inoOf(path) }];
  }

  get size(): number {
    return 'line 1\nline 2\n'.length;
  }

  act(op: 'set-aside' | 'put-back' | 'left' | 'merge-back' | 'late' | 'forget', tag = TAG): Promise<Answer> {
    const { outputs } = this;
    if (op === 'put-back') return doIt({ op, tag, outputs, left: false });
    if (op === 'left') return doIt({ op: 'put-back', tag, outputs, left: true });
    if (op === 'merge-back') return doIt({ op, tag, outputs, waiting: true });
    if (op === 'late') return doIt({ op: 'merge-back', tag, outputs, waiting: false });
    return doIt({ op, tag, outputs });
  }

  stepdOpens(mode: 'truncate' | 'append'): void {
    this.#opened = openSync(this.folder.at('out'), mode === 'truncate' ? 'w' : 'a');
    closeSync(this.#opened);
    chownSync(this.folder.at('out'), OWNER.uid, OWNER.gid);
    // Slurm opens both with O_APPEND.
    this.#opened = openSync(this.folder.at('out'), 'a');
  }

  /** The script, or slurmstepd itself, through the file that slurmstepd opened. */
  writes(text: string): void {
    writeSync(this.#opened!, text);
  }

  [Symbol.dispose](): void {
    if (this.#opened !== null) closeSync(this.#opened);
    this.folder[Symbol.dispose]();
  }
}

test.runIf(isRoot).each(['truncate', 'append'] as const)(
  'output is whole after a restore in mode %s',
  async (mode) => {
    using job = new Job();
    const output = job.outputs[0]!;
    expect(await job.act('set-aside')).toEqual(DONE);
    job.stepdOpens(mode);
    expect(await job.act('put-back')).toEqual(DONE);
    const rollBack = {
      op: 'roll-back',
      tag: TAG,
      files: [{ ...output, ino: output.ino!, size: job.size, shared: false }],
      change: true,
    } as const;
    expect(await doIt(rollBack)).toEqual(DONE);
    expect(inoOf(output.path)).toBe(output.ino);
    // CRIU opens it by its name.
    appendFileSync(output.path, 'line 3\n');
    expect(await job.act('forget')).toEqual(DONE);
    expect(job.folder.names()).toEqual(['out']);
    expect(job.folder.text('out')).toBe('line 1\nline 2\nline 3\n');
  },
);

test.runIf(isRoot).each([
  ['truncate', 'after its files were put back', true],
  ['append', 'after its files were put back', true],
  ['truncate', 'before its task was there', false],
  ['append', 'before its task was there', false],
] as const)('in mode %s a restore that fails %s loses no output', async (mode, _, back) => {
  using job = new Job();
  expect(await job.act('set-aside')).toEqual(DONE);
  job.stepdOpens(mode);
  if (back) expect(await job.act('put-back')).toEqual(DONE);
  expect(await job.act('merge-back')).toEqual(DONE);
  job.writes('anew 1\n');
  expect(job.folder.names()).toEqual(['out']);
  expect(job.folder.text('out')).toBe('line 1\nline 2\nlate\nanew 1\n');
  expect(await job.act('merge-back')).toEqual(DONE);
  expect(job.folder.text('out')).toBe('line 1\nline 2\nlate\nanew 1\n');
});

test.runIf(isRoot)('the old output comes before what slurmstepd says of the failure', async () => {
  using job = new Job();
  await job.act('set-aside');
  job.stepdOpens('truncate');
  job.writes('slurmstepd: error\n');
  expect(await job.act('merge-back')).toEqual(DONE);
  job.writes('anew 1\n');
  expect(job.folder.names()).toEqual(['out']);
  expect(job.folder.text('out')).toBe('line 1\nline 2\nlate\nslurmstepd: error\nanew 1\n');
});

test.runIf(isRoot)('what is written while the old output is put before it is not lost', async () => {
  using job = new Job('old '.repeat(5_000_000));
  await job.act('set-aside');
  job.stepdOpens('append');
  job.writes('slurmstepd: error\n');
  const merged = job.act('merge-back');
  let count = 0;
  for (let done = false; !done; count++) {
    job.writes(`${count};`);
    done = await Promise.race([
      merged.then(() => true),
      new Promise<false>((resolve) => setImmediate(resolve, false)),
    ]);
  }
  expect(await merged).toMatchObject({ ok: true });
  const lines = Array.from({ length: count }, (_, index) => `${index};`).join('');
  // Beside it, where too much was written before it began.
  const text = job.folder
    .names()
    .map((name) => job.folder.text(name))
    .join('');
  expect(text.replaceAll('old ', '')).toBe(`slurmstepd: error\n${lines}`);
  expect(text.match(/old /g)).toHaveLength(5_000_000);
});

test.runIf(isRoot)(
  'where the script may have started, the old output lies in sight beside its own',
  async () => {
    using job = new Job();
    await job.act('set-aside');
    job.stepdOpens('truncate');
    job.writes('anew 1\n');
    const note = expect.stringMatching(/the output of .*out up to here is in .*out\.ckptd-7\.2$/);
    expect(await job.act('late')).toEqual({ ok: true, notes: [note] });
    job.writes('anew 2\n');
    expect(job.folder.names()).toEqual(['out', `out.${TAG}`]);
    expect(job.folder.text(`out.${TAG}`)).toBe('line 1\nline 2\nlate\n');
    expect(job.folder.text('out')).toBe('anew 1\nanew 2\n');
  },
);

test.runIf(isRoot)('gigabytes of output are not copied while slurmstepd waits', async () => {
  using job = new Job();
  truncateSync(job.folder.at('out'), 2 ** 31);
  await job.act('set-aside');
  job.stepdOpens('truncate');
  expect(await job.act('merge-back')).toMatchObject({
    ok: true,
    notes: [expect.stringContaining(`out.${TAG}`)],
  });
  expect(job.folder.names()).toEqual(['out', `out.${TAG}`]);
});

test.runIf(isRoot)('output that slurmstepd never got to open comes back as it was', async () => {
  using job = new Job();
  await job.act('set-aside');
  expect(job.folder.names()).toEqual([`.out.${TAG}`]);
  expect(await job.act('merge-back')).toEqual(DONE);
  expect(job.folder.names()).toEqual(['out']);
  expect(inoOf(job.folder.at('out'))).toBe(job.outputs[0]!.ino);
});

test.runIf(isRoot)('each step can be done again, as after a crash of the engine', async () => {
  using job = new Job();
  expect(await job.act('set-aside')).toEqual(DONE);
  expect(await job.act('set-aside')).toEqual(DONE);
  job.stepdOpens('truncate');
  expect(await job.act('set-aside')).toEqual(DONE);
  expect(await job.act('put-back')).toEqual(DONE);
  expect(await job.act('put-back')).toEqual(DONE);
  expect(inoOf(job.folder.at('out'))).toBe(job.outputs[0]!.ino);
  expect(await job.act('forget')).toEqual(DONE);
  expect(await job.act('forget')).toEqual(DONE);
  expect(job.folder.names()).toEqual(['out']);
});

test.runIf(isRoot)(
  'what a run left aside comes back for the next one, and nothing that was written since is lost',
  async () => {
    using job = new Job();
    await job.act('set-aside');
    job.stepdOpens('truncate');
    job.writes('of a run in between\n');
    const left = await job.act('left');
    expect(left).toEqual({ ok: true, notes: [expect.stringContaining(`out.${TAG}`)] });
    expect(inoOf(job.folder.at('out'))).toBe(job.outputs[0]!.ino);
    expect(job.folder.text(`out.${TAG}`)).toBe('of a run in between\n');
    expect(await job.act('left', 'ckptd-7.9')).toEqual(DONE);
  },
);

test.runIf(isRoot)('what is kept in sight replaces nothing', async () => {
  using job = new Job();
  job.folder.file(`out.${TAG}`, "the owner's own");
  await job.act('set-aside');
  job.stepdOpens('truncate');
  job.writes('words');
  expect(await job.act('late')).toMatchObject({
    ok: true,
    notes: [expect.stringContaining(`out.${TAG}.1`)],
  });
  expect(job.folder.text(`out.${TAG}`)).toBe("the owner's own");
});

test.runIf(isRoot)('one file for output and errors is put aside once', async () => {
  using job = new Job();
  job.outputs.push({ ...job.outputs[0]! });
  expect(await job.act('set-aside')).toEqual(DONE);
  job.stepdOpens('truncate');
  expect(await job.act('put-back')).toEqual(DONE);
  expect(inoOf(job.folder.at('out'))).toBe(job.outputs[0]!.ino);
});

test.runIf(isRoot)(
  'an output that is a link is put aside as a link, and what it leads to stays',
  async () => {
    using job = new Job(null);
    job.folder.file('real', 'lines');
    symlinkSync('real', job.folder.at('out'));
    expect(await job.act('set-aside')).toEqual(DONE);
    job.stepdOpens('truncate');
    expect(await job.act('put-back')).toEqual(DONE);
    expect(readlinkSync(job.folder.at('out'))).toBe('real');
    expect(job.folder.text('real')).toBe('lines');
  },
);

test.runIf(isRoot)('devices, FIFOs and what is not there stay where they are', async () => {
  using job = new Job(null);
  execFileSync('mkfifo', [job.folder.at('fifo')]);
  job.outputs.push({ path: job.folder.at('fifo'), ino: null }, { path: '/dev/null', ino: null });
  expect(await job.act('set-aside')).toEqual(DONE);
  expect(job.folder.names()).toEqual(['fifo']);
  expect(await job.act('put-back')).toEqual(DONE);
});

test.runIf(isRoot)(
  'an output that is not the one of the dump is refused, and the other stays in its place',
  async () => {
    using job = new Job();
    const err = job.folder.file('err', 'errors');
    job.outputs.push({ path: err, ino: inoOf(err) });
    const spoil: readonly [() => void, RegExp][] = [
      [() => {}, /err, the job's output, is gone/],
      [() => job.folder.file('err', 'another'), /err is another file than the one that the job had open/],
      [() => mkdirSync(err), /err, the job's output, is no regular file any more/],
      [() => symlinkSync('/etc/passwd', err), /err, the job's output, is no regular file any more/],
    ];
    // So that the inode's number is not given out again at once.
    renameSync(err, job.folder.at('kept'));
    job.folder.file('err', 'another');
    for (const [doSpoil, message] of spoil) {
      rmSync(err, { recursive: true, force: true });
      doSpoil();
      expect(await job.act('set-aside')).toEqual({ ok: false, message: expect.stringMatching(message) });
      expect(inoOf(job.folder.at('out'))).toBe(job.outputs[0]!.ino);
    }
  },
);

test.runIf(isRoot)(
  'a folder that the owner may not write in is an error, and what was put aside before is back',
  async () => {
    using job = new Job();
    using closed = new Folder({ uid: 0, gid: 0, groups: [] });
    chmodSync(closed.path, 0o755);
    const err = closed.file('err', 'errors', OWNER);
    job.outputs.push({ path: err, ino: inoOf(err) });
    const answer = await job.act('set-aside');
    expect(answer).toEqual({
      ok: false,
      message: expect.stringMatching(/err cannot be put aside: the job's owner has no permission/),
    });
    expect(job.folder.names()).toEqual(['out']);
  },
);

test.runIf(isRoot)('a name that is too long to be put aside is an error', async () => {
  using job = new Job(null);
  const long = job.folder.file('o'.repeat(250), 'lines');
  job.outputs.push({ path: long, ino: inoOf(long) });
  expect(await job.act('set-aside')).toMatchObject({
    ok: false,
    message: expect.stringMatching(/name is too long/),
  });
});

test.runIf(isRoot)(
  'what another job opened in the place of a common output stays in sight, though it is empty yet',
  async () => {
    using job = new Job();
    job.outputs[0] = { ...job.outputs[0]!, shared: true };
    await job.act('set-aside');
    job.stepdOpens('append');
    await job.act('put-back');
    expect(await job.act('forget')).toEqual({
      ok: true,
      notes: [expect.stringMatching(/a job that opened .*out while .* writes to .*out\.ckptd-7\.2$/)],
    });
    job.writes('of a third job\n');
    expect(job.folder.text(`out.${TAG}`)).toBe('of a third job\n');
    expect(inoOf(job.folder.at('out'))).toBe(job.outputs[0]!.ino);
  },
);

test.runIf(isRoot).each([true, false])(
  'a common output that other jobs have open stays theirs when this one begins anew, put back before: %s',
  async (back) => {
    using job = new Job();
    const { path, ino } = job.outputs[0]!;
    job.outputs[0] = { path, ino, shared: true };
    const other = openSync(path, 'a');
    await job.act('set-aside');
    job.stepdOpens('truncate');
    if (back) await job.act('put-back');
    expect(await job.act('merge-back')).toEqual({
      ok: true,
      notes: [expect.stringMatching(/other jobs go on with .*out: .* in .*out\.ckptd-7\.2$/)],
    });
    writeSync(other, 'of another\n');
    closeSync(other);
    job.writes('anew 1\n');
    expect(job.folder.names()).toEqual(['out', `out.${TAG}`]);
    expect(job.folder.text('out')).toBe('line 1\nline 2\nlate\nof another\n');
    expect(job.folder.text(`out.${TAG}`)).toBe('anew 1\n');
  },
);
