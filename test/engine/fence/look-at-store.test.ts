import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lookAtStore } from '../../../daemon/engine/fence/look-at-store.ts';
import type { RunRecord } from '../../../daemon/engine/manifest.ts';
import type { Exec } from '../../../daemon/system/ports.ts';
import { systemExec } from '../../../daemon/system/process/exec.ts';
import { CLUSTER, type Scene, scene } from '../store/support.ts';

let it: Scene;
beforeEach(async () => {
  it = scene();
  await it.store.upkeep.settleIn();
});
afterEach(() => it[Symbol.dispose]());

const record = (jobId: number, over: Partial<RunRecord> = {}): RunRecord => ({
  version: 1,
  jobId,
  clusterId: CLUSTER,
  restarts: 1,
  node: 'n2',
  startedAt: 1_800_000_000_000,
  ...over,
});

function look(jobs: readonly number[], over: { proc?: string; exec?: Exec } = {}) {
  const looker = {
    exec: systemExec(),
    proc: '/proc',
    dir: it.dir,
    clusterId: CLUSTER,
    node: 'n1',
    timeoutMs: 4_000,
  };
  return lookAtStore({ ...looker, ...over }, jobs);
}

test('one child looks at all jobs: those with a record, with a folder alone, and with nothing', async () => {
  await it.other('n2').writeRun(record(7));
  mkdirSync(join(it.cluster, '8'), { mode: 0o700 });
  await it.other('n2').writeRun(record(9, { restarts: 4 }));
  const seen = await look([9, 8, 10, 7]);
  expect(seen).toEqual({
    type: 'there',
    runs: new Map([
      [9, record(9, { restarts: 4 })],
      [8, null],
      [10, null],
      [7, record(7)],
    ]),
  });
});

test.each<[string, () => void, RegExp]>([
  ['is not mounted', () => rmSync(it.dir, { recursive: true }), /No such file/],
  [
    'is an empty mount point',
    () => {
      rmSync(it.dir, { recursive: true });
      mkdirSync(it.dir, { mode: 0o700 });
    },
    /No such file/,
  ],
  ['is another cluster’s', () => renameSync(it.cluster, join(it.dir, 'other')), /No such file/],
  [
    'has never seen this node',
    () => rmSync(join(it.cluster, '.nodes/n1'), { recursive: true }),
    /No such file/,
  ],
  ['is a user’s', () => chownSync(it.cluster, 1500, 1500), /belongs to uid 1500/],
  ['is writable by others', () => chmodSync(it.cluster, 0o777), /writable by others/],
  [
    'is a link',
    () => {
      renameSync(it.cluster, join(it.dir, 'moved'));
      symlinkSync(join(it.dir, 'moved'), it.cluster);
    },
    /not a folder/,
  ],
])('a store that %s cannot be asked', async (_, spoil, why) => {
  spoil();
  expect(await look([7])).toEqual({ type: 'away', why: expect.stringMatching(why) });
});

const file = () => join(it.cluster, '7/run.json');
test.each<[string, () => void, RegExp]>([
  ['damaged', () => writeFileSync(file(), '{"version":1,'), /damaged/],
  ['empty', () => writeFileSync(file(), ''), /damaged/],
  [
    'too long',
    () => writeFileSync(file(), JSON.stringify({ ...record(7), more: 'x'.repeat(5_000) })),
    /damaged/,
  ],
  ['newer', () => writeFileSync(file(), JSON.stringify({ ...record(7), version: 2 })), /version/],
  ['of another job', () => writeFileSync(file(), JSON.stringify(record(8))), /another job/],
  ['a user’s', () => chownSync(file(), 1500, 1500), /uid 1500/],
  [
    'a folder',
    () => {
      rmSync(file());
      mkdirSync(file());
    },
    /plain file/,
  ],
  ['known by another name too', () => linkSync(file(), join(it.dir, 'x')), /plain file/],
  [
    'a link',
    () => {
      renameSync(file(), join(it.dir, 'x'));
      symlinkSync(join(it.dir, 'x'), file());
    },
    /plain file/,
  ],
])('a record that is %s says nothing, not even that there is none', async (_, spoil, why) => {
  await it.other('n2').writeRun(record(7));
  spoil();
  expect(await look([7])).toEqual({ type: 'away', why: expect.stringMatching(why) });
});

test.each([
  ['a user who runs a setuid program with the words of such a child', 1500, ''],
  ['another engine that looks at its own store just now', 0, '-of-another'],
])('%s keeps nobody from looking', async (_, uid, suffix) => {
  const proc = mkdtempSync(join(tmpdir(), 'fence-proc-'));
  try {
    let format = '';
    const real = systemExec();
    const exec: Exec = {
      run(command, signal) {
        format = /-c '([^']+)'/.exec(command.args[1]!)![1]!;
        return real.run(command, signal);
      },
    };
    const there = { type: 'there', runs: new Map([[7, null]]) };
    expect(await look([7], { proc, exec })).toEqual(there);
    mkdirSync(join(proc, '50'));
    writeFileSync(join(proc, '50/cmdline'), ['stat', format, `${it.dir}${suffix}`, ''].join('\0'));
    writeFileSync(join(proc, '50/stat'), `50 (stat) S 1 ${'0 '.repeat(17)}500 0 0\n`);
    writeFileSync(join(proc, '50/status'), `Uid:\t${uid}\t0\t0\t0\nGid:\t0\nGroups:\t0\nNSpid:\t50\n`);
    expect(await look([7], { proc, exec })).toEqual(there);
  } finally {
    rmSync(proc, { recursive: true });
  }
});

test('a store that hangs is away within the time, and no second child hangs beside the first', async () => {
  const proc = mkdtempSync(join(tmpdir(), 'fence-proc-'));
  let calls = 0;
  const exec: Exec = {
    async run(command) {
      calls++;
      // What the kernel does not let go of: `stat`, as root.
      mkdirSync(join(proc, '50'), { recursive: true });
      const script = command.args[1]!;
      const format = /-c '([^']+)'/.exec(script)![1]!;
      writeFileSync(join(proc, '50/cmdline'), ['stat', '-c', format, '--', it.dir, ''].join('\0'));
      writeFileSync(join(proc, '50/stat'), `50 (stat) D 1 ${'0 '.repeat(17)}500 0 0\n`);
      writeFileSync(join(proc, '50/status'), 'Uid:\t0\t0\t0\t0\nGid:\t0\nGroups:\t0\nNSpid:\t50\n');
      const result = {
        why: 'timeout',
        exitCode: null,
        stdout: Buffer.alloc(0),
        stderr: '',
        message: 'late',
      } as const;
      return { ok: false, ...result };
    },
  };
  try {
    expect(await look([7], { proc, exec })).toMatchObject({ why: expect.stringMatching(/does not answer/) });
    expect(await look([7], { proc, exec })).toMatchObject({ why: expect.stringMatching(/hangs/) });
    expect(calls).toBe(1);
  } finally {
    rmSync(proc, { recursive: true });
  }
});
