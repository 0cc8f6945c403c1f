import {
  chmod,
  chown,
  mkdir,
  mkdtempDisposable,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { deviceOf } from '../../../daemon/engine/checkpoint/dump/file-systems.ts';
import type { CommandResult } from '../../../daemon/system/ports.ts';
import { until } from '../../lab/until.ts';
import { type Creds, coreImage, filesImage, ordinary } from '../criu/images/made-images.ts';
import { isRoot } from '../owner/program/support.ts';
import { Rig, says, TIMED_OUT } from '../support/rig.ts';

let rig: Rig;
beforeEach(async () => {
  rig = await Rig.make();
});
afterEach(() => rig[Symbol.asyncDispose]());

const failed = (actionId: string) =>
  until(() => rig.checkpointer.status(actionId)?.status === 'error' && rig.checkpointer.status(actionId), {
    what: 'the failure',
    everyMs: 5,
  });
const accepted = async (answer: ReturnType<Rig['ask']>): Promise<string> => {
  const given = await answer;
  if (!given.ok) throw new Error(given.message);
  return given.actionId;
};

test('a running job is dumped while it runs on, and what was taken is told', async () => {
  const actionId = await rig.saved();
  const { manifest } = (await rig.store.find(actionId))!;
  expect(manifest).toMatchObject({
    actionId,
    jobId: 7,
    restarts: 0,
    uid: 1500,
    gid: 1500,
    user: 'alice',
    jobName: 'count',
    node: 'n1',
    kind: 'simple',
    reason: 'heartbeat',
    frozenMs: 28.532,
    criu: { version: '4.1.1', restoreOptions: expect.arrayContaining(['--shell-job', '--tcp-close']) },
    cpuFlags: ['fpu', 'sse2'],
    rootPid: 70,
    images: [
      { name: 'core-70.img', bytes: expect.any(Number) },
      { name: 'files.img', bytes: 8 },
    ],
    archive: null,
    files: [{ path: '/net/out', ino: '17', size: 24, append: true }],
  });
  expect(await rig.dumps()).toEqual(['70 --leave-running']);
  expect([await rig.node.freezerState(), rig.signals, await rig.left('work/dump')]).toEqual([
    'THAWED',
    [],
    [],
  ]);
  expect(rig.checkpointer.status(actionId)).toBe(null);
});

test('a second ask while one is under way is refused, and another job’s is not', async () => {
  await rig.leaves('mode', 'wait');
  const actionId = await accepted(rig.ask());
  expect(rig.checkpointer.status(actionId)?.status).toMatch(/initialized|processing/);
  expect(await rig.ask()).toEqual({
    ok: false,
    status: 404,
    message: `checkpoint ${actionId} is under way for job 7`,
  });
  const other = await rig.checkpointer.checkpoint({ jobId: 8, kind: 'simple', reason: 'heartbeat' });
  expect(other).toMatchObject({ status: 404, message: 'Slurm knows no job 8' });
  await rig.leaves('go', '');
  await until(async () => (await rig.store.find(actionId)) !== null, { what: 'the first', everyMs: 5 });
  await rig.saved();
});

test('two asks at once are one dump', async () => {
  const answers = await Promise.all([rig.ask(), rig.ask()]);
  expect(answers.map(({ ok }) => ok)).toEqual([true, false]);
});

test.each([
  [{ State: 'PENDING', NodeList: '', BatchHost: 'n/a' }, 'job 7 is not running: it is PENDING'],
  [{ State: 'SUSPENDED' }, 'job 7 is not running: it is SUSPENDED'],
  [{ State: 'COMPLETING' }, 'job 7 is not running: it is COMPLETING'],
  [{ BatchHost: 'n2', NodeList: 'n2' }, 'job 7 is not here: its batch script runs on n2, and this is n1'],
  [{ NodeList: 'n1,n2' }, 'job 7 spans 2 nodes'],
  [{ HetJobID: 7 }, 'heterogeneous'],
  [{ UserID: 1501 }, 'belongs to uid 1501'],
])('%j is a 404 that says why', async (fields, message) => {
  await rig.slurm.setJob(7, fields);
  expect(await rig.ask()).toMatchObject({
    ok: false,
    status: 404,
    message: expect.stringContaining(message),
  });
  expect(await rig.dumps()).toEqual([]);
});

test('an active step is a 404; a batch and an extern step are none, nor is a socket that was left', async () => {
  await rig.slurm.startStep(7);
  await rig.slurm.startStep(7, 4294967292);
  await rig.slurm.startStep(8, 0);
  await rig.saved();
  await rig.slurm.startStep(7, 3);
  expect(await rig.ask()).toMatchObject({
    status: 404,
    message: 'job 7 has an active step (7.3): it can be saved when the step has ended',
  });
  await rig.slurm.endStep(7, 3);
  await rig.saved();
});

test('a process outside of the tree is a 404, if it stays', async () => {
  await rig.node.add({ pid: 99, ppid: 1, name: 'daemon' });
  expect(await rig.ask()).toMatchObject({ status: 404, message: expect.stringContaining('99 (daemon)') });
});

test('the processes are those that are there when Slurm has spoken, not when it was asked', async () => {
  await rig.node.remove(71);
  rig.before.set('squeue-job', async () => {
    rig.before.delete('squeue-job');
    await rig.node.add({ pid: 80, ppid: 1, name: 'stray' });
    return undefined;
  });
  expect(await rig.ask()).toMatchObject({ ok: false, status: 404, message: expect.stringContaining('80') });
  await rig.node.remove(80);
  // A batch script that slurmstepd has only just begun.
  await rig.node.remove(70);
  rig.before.set('squeue-job', async () => {
    await rig.node.add({ pid: 70, ppid: 60, name: 'slurm_script' });
    return undefined;
  });
  await rig.saved();
});

test('what nobody can say just now is a 500', async () => {
  await rig.slurm.setMode('away');
  expect(await rig.ask()).toMatchObject({
    status: 500,
    message: expect.stringContaining('Unable to contact slurm controller'),
  });
  await rig.slurm.setMode('well');
  await rm(rig.config.criu);
  expect(await rig.ask()).toMatchObject({
    status: 500,
    message: expect.stringContaining('CRIU cannot be used'),
  });
});

test('a dump that fails is told in CRIU’s own words, and leaves nothing', async () => {
  await rig.leaves('mode', 'fail');
  const { details } = await failed(await accepted(rig.ask()));
  expect(details).toBe('CRIU: Connected TCP socket (criu/sk-inet.c:191)');
  expect([await rig.left('work/dump'), await rig.left('run/frozen')]).toEqual([[], []]);
  expect(await rig.store.ofJob(7)).toEqual([]);
  await rig.leaves('mode', '');
  await rig.saved();
});

const REFUSED = "/tmp/api.sock: another user's socket is there";

test.each(['simple', 'rootfs'] as const)(
  'a job (%s) with something that its owner could not restore is refused, and runs on',
  async (kind) => {
    await rig.leaves('refuses', REFUSED);
    const { details } = await failed(await accepted(rig.ask(kind)));
    expect(details).toBe(`the job's owner could not restore it: ${REFUSED}`);
    expect([
      await rig.left('work/dump'),
      await rig.left('run/frozen'),
      await rig.node.freezerState(),
    ]).toEqual([[], [], 'THAWED']);
    expect(await rig.store.ofJob(7)).toEqual([]);
    expect((await rig.dumps()).length).toBe(1);
    await rm(join(rig.node.dir, 'refuses'));
    await rig.saved(kind);
  },
);

test('the owner is asked for all that a restore runs, opens, makes, watches and connects to, by its path', async () => {
  await rig.leaves(
    'files.img',
    filesImage({
      sockets: [
        { name: '/tmp/own\xff' },
        { name: '\0abstract' },
        { name: '' },
        { name: '/dev/log', extern: true },
      ],
      watches: [['/net/inbox\xff']],
    }),
  );
  await rig.saved();
  expect(await rig.looked()).toEqual({
    args: 'may-restore --uid 1500 --gid 1500 --groups 1500 27',
    entries: [
      ...['bind /tmp/own\xff', 'connect /dev/log', `pass ${join(rig.node.dir, 'criu')}`],
      ...['read /net/inbox\xff', 'read /usr/bin/bash', 'write /net/out'],
    ],
  });
});

test('a checkpoint without processes asks its owner for nothing', async () => {
  await rig.leaves('refuses', REFUSED);
  await rig.saved('rootfsonly');
  expect(await rig.looked()).toBeNull();
});

test('a file that goes away just then is no hindrance in the next moment', async () => {
  await rig.leaves('refuses', '/net/gone: it is gone');
  let dumps = 0;
  rig.before.set('criu-dump-1', async () => {
    if (++dumps === 3) await rm(join(rig.node.dir, 'refuses'));
    return undefined;
  });
  await rig.saved();
  expect(dumps).toBe(3);
  await rig.leaves('refuses', '/net/gone: it is gone');
  expect((await failed(await accepted(rig.ask()))).details).toMatch(/could not restore it: .*it is gone$/);
  expect(dumps).toBe(8);
});

test.each<[string, CommandResult, RegExp]>([
  ['says nothing', { ok: true, stdout: Buffer.alloc(0) }, /ckptd-criu gave no answer$/],
  ['has looked at less', { ok: true, stdout: Buffer.from('ok 1\n') }, /gave no answer$/],
  ['says more', { ok: true, stdout: Buffer.from('ok 2\nok 2\n') }, /gave no answer$/],
  ['hangs', TIMED_OUT, /took longer than/],
  ['refuses, and does not say what', says('refused'), /: refused$/],
])('a look that %s allows nothing', async (_, result, why) => {
  rig.before.set('may-restore-1', async () => result);
  const { details } = await failed(await accepted(rig.ask()));
  expect(details).toMatch(/^the job's files cannot be looked at: /);
  expect(details).toMatch(why);
  expect((await rig.dumps()).length).toBe(1);
  expect(await rig.store.ofJob(7)).toEqual([]);
});

test('a job that watches what has no path is refused, and runs on', async () => {
  await rig.leaves('files.img', filesImage({ watches: [[null]] }));
  expect((await failed(await accepted(rig.ask()))).details).toMatch(
    /no path any more .* cannot be restored$/,
  );
  await rig.leaves('files.img', filesImage({ watches: [['/tmp']] }));
  await rig.saved();
});

test('a job with a filter of seccomp is refused before CRIU touches it; its files can be saved', async () => {
  await rig.node.add({ pid: 71, ppid: 70, name: 'sandboxed', seccomp: 2 });
  expect((await failed(await accepted(rig.ask()))).details).toBe(
    'process 71 (sandboxed) of the job has a filter of seccomp, which only root could give back to it',
  );
  expect((await failed(await accepted(rig.ask('rootfs')))).details).toContain('a filter of seccomp');
  expect([await rig.dumps(), await rig.node.freezerState()]).toEqual([[], 'THAWED']);
  await rig.saved('rootfsonly');
  // Strict mode, which every user gives to a process of theirs.
  await rig.node.add({ pid: 71, ppid: 70, name: 'sandboxed', seccomp: 1 });
  await rig.saved();
});

describe.runIf(isRoot)('a job whose files root may not reach', () => {
  test('is dumped with the rights of its owner, and what they made is root’s then', async () => {
    await rig.leaves('mode', 'squash');
    const actionId = await rig.saved();
    expect(await rig.dumps()).toEqual(['70 --leave-running', '70 --leave-running checkpoint_restore']);
    const args = await readFile(join(rig.node.dir, 'arguments'), 'utf8');
    expect(args).toMatch(
      /^run --uid 1500 --gid 1500 --groups 1500 27 --capabilities checkpoint_restore --images \S+\/images -- \S+\/criu dump --no-default-config --unprivileged --tree 70 --images-dir \/proc\/self\/fd\/9 --log-file /,
    );
    expect(args).not.toContain('--work-dir');
    const found = (await rig.store.find(actionId))!;
    expect(found.manifest).toMatchObject({ frozenMs: 28.532, files: [{ path: '/net/out' }] });
    // CRIU's log, its statistics and the record are no images.
    expect(found.manifest.images.map(({ name }) => name)).toEqual([
      'core-70.img',
      'files.img',
      'pages-1.img',
    ]);
    for (const name of await readdir(join(found.dir, 'images')))
      expect((await stat(join(found.dir, 'images', name))).uid).toBe(0);
  });

  test('is dumped so at once the next time, as long as it is the same job', async () => {
    await rig.leaves('mode', 'squash');
    await rig.saved();
    await rig.saved();
    expect((await rig.dumps()).length).toBe(3);
    await rig.node.add({ pid: 70, ppid: 60, name: 'slurm_script', startTime: 999 });
    await rig.saved();
    expect((await rig.dumps()).slice(3)).toEqual([
      '70 --leave-running',
      '70 --leave-running checkpoint_restore',
    ]);
  });

  test('and its owner neither has a checkpoint by neither way, and both are told', async () => {
    await rig.leaves('mode', 'squash-all');
    expect((await failed(await accepted(rig.ask()))).details).toBe(
      "CRIU: Can't open file /net/home/out: Permission denied (criu/files-reg.c:1684); with the rights of its owner: CRIU: Can't open file /net/home/out checkpoint_restore: Permission denied (criu/files-reg.c:1684)",
    );
    await rig.leaves('mode', '');
    // Root may be let in by now.
    await rig.saved();
    expect((await rig.dumps()).at(-1)).toBe('70 --leave-running');
  });

  test('that fails otherwise is not dumped a second time', async () => {
    await rig.leaves('mode', 'fail');
    await failed(await accepted(rig.ask()));
    expect(await rig.dumps()).toEqual(['70 --leave-running']);
  });
});

/** What is looked at with the rights of the job's owner, by the pid in whose namespaces that is. */
async function looksAtFiles(): Promise<(string | null)[]> {
  const entered: (string | null)[] = [];
  rig.before.set('may-restore-1', async ({ args }) => {
    entered.push(args.includes('--inside') ? args[args.indexOf('--inside') + 1]! : null);
    return undefined;
  });
  await rig.node.mounts('self', 1);
  await rig.node.mounts(60, 1);
  return entered;
}

test('nothing is run in a mount namespace that the job has made', async () => {
  const entered = await looksAtFiles();
  await rig.node.mounts(70, 2);
  const { details } = await failed(await accepted(rig.ask()));
  expect(details).toMatch(/in another mount namespace than slurmstepd above it/);
  expect(entered).toEqual([]);
});

test('a slurmstepd that is not root’s is none, whatever its program is', async () => {
  const entered = await looksAtFiles();
  await rig.node.mounts(60, 2);
  await rig.node.mounts(70, 2);
  rig.before.set('criu-dump-1', async () => {
    await rig.node.add({ pid: 60, ppid: 1, name: 'slurmstepd' });
    return undefined;
  });
  expect((await failed(await accepted(rig.ask()))).details).toMatch(/slurmstepd is gone/);
  expect(entered).toEqual([]);
});

test('files are looked at where slurmstepd has its mounts', async () => {
  const entered = await looksAtFiles();
  await rig.node.mounts(70, 1);
  await rig.saved();
  await rig.node.mounts(60, 3);
  await rig.node.mounts(70, 3);
  await rig.saved();
  expect(entered).toEqual([null, '60']);
});

test('those of a restored run are looked at where its pid 1 is, and only while that is root’s', async () => {
  const entered = await looksAtFiles();
  await restoredRun();
  await rig.saved();
  expect(entered).toEqual(['90']);
  await rig.node.mounts(91, 4);
  expect((await failed(await accepted(rig.ask()))).details).toMatch(
    /another mount namespace than ckptd-init/,
  );
  await rig.node.add({ pid: 90, ppid: 70, name: 'ckptd-init', nsPid: 1 });
  expect(await rig.ask()).toMatchObject({
    message: expect.stringContaining("are uid 1500's, and not root's"),
  });
  expect(entered).toEqual(['90']);
});

test('CRIU is not run in the namespaces of a process that has the pid of the run’s pid 1 by now', async () => {
  await restoredRun();
  rig.before.set('criu-version', async () => {
    await rig.node.add({ pid: 90, ppid: 70, name: 'ckptd-init', uid: 0, nsPid: 1, startTime: 901 });
    return undefined;
  });
  expect((await failed(await accepted(rig.ask()))).details).toMatch(/namespaces .* are gone/);
  expect(await rig.dumps()).toEqual([]);
});

async function restoredRun(): Promise<void> {
  await rig.slurm.setJob(7, { RestartCnt: 1 });
  await rig.node.remove(71);
  await rig.node.add({ pid: 70, ppid: 60, name: 'ckptd', uid: 0 });
  await rig.node.add({ pid: 90, ppid: 70, name: 'ckptd-init', uid: 0, nsPid: 1 });
  await rig.node.add({ pid: 91, ppid: 90, name: 'bash', nsPid: 70 });
  await rig.node.mounts(90, 3);
  await rig.node.mounts(91, 3);
  await mkdir(join(rig.config.runDir, 'runs'), { recursive: true });
  const run = { jobId: 7, restarts: 1, init: 90, initStart: 900, root: 70 };
  await writeFile(join(rig.config.runDir, 'runs/7.json'), JSON.stringify(run));
}

const LOOKING = `exe 70 8:1 1 100755 /usr/bin/bash
fd 70 3 0 0:20 4 0 100444 1 /proc/99/stat
end 2
`;

test('a job that was looking at a process of somebody else’s is saved in another moment, if it has looked away', async () => {
  await rig.leaves('record', LOOKING);
  let dumps = 0;
  rig.before.set('criu-dump-1', async () => {
    if (++dumps === 3) await rig.leaves('record', 'exe 70 8:1 1 100755 /usr/bin/bash\nend 1\n');
    return undefined;
  });
  await rig.saved();
  expect(await rig.dumps()).toEqual(Array(3).fill('70 --leave-running'));
  expect(await rig.left('work/dump')).toEqual([]);

  await rig.leaves('record', LOOKING);
  const { details } = await failed(await accepted(rig.ask()));
  expect(details).toContain('looking at a process of somebody else\'s ("/proc/99/stat")');
  expect(dumps).toBe(8);
});

test('credentials that somebody forged in the job’s memory are no part of a checkpoint', async () => {
  const forged = { ...ordinary(1500, 1500, [27]), uids: [1500, 0, 1500, 1500] };
  await rig.leaves('core-70.img', coreImage(forged));
  const { details } = await failed(await accepted(rig.ask()));
  expect(details).toBe('a thread of the job (core-70.img) has another euid than its uid 1500');
  expect(await rig.store.ofJob(7)).toEqual([]);
  expect(await rig.node.freezerState()).toBe('THAWED');
  // A program that was set-user-id for a moment.
  rig.before.set('criu-dump-1', async () => {
    await rig.leaves('core-70.img', coreImage(ordinary(1500, 1500, [27])));
    return undefined;
  });
  await rig.saved();
});

test.each<[string, Creds]>([
  ['the job runs as uid 0, and belongs to uid 1500', ordinary(0, 1500)],
  ['the job runs as uid 1501, and belongs to uid 1500', ordinary(1501, 1500)],
  ['a process of the job has the gid 27, and its first has 1500', ordinary(1500, 27)],
  ['the job has the group 28, which its owner has not on this node', ordinary(1500, 1500, [27, 28])],
  [
    'a thread of the job has inheritable capabilities of its own',
    { ...ordinary(1500, 1500), inheritable: [3] },
  ],
])('%s: it is saved in another moment, if it is not so then', async (why, creds) => {
  await rig.node.add({ pid: 70, ppid: 60, name: 'slurm_script', inheritable: '0000000000000001' });
  await rig.leaves('core-70.img', coreImage(creds));
  expect((await failed(await accepted(rig.ask()))).details).toBe(why);
  expect((await rig.dumps()).length).toBe(5);
  expect([await rig.looked(), await rig.node.freezerState()]).toEqual([null, 'THAWED']);
  // What the first of them has, each may have.
  await rig.leaves('core-70.img', coreImage({ ...ordinary(1500, 1500, [1500, 27]), inheritable: [1] }));
  await rig.saved();
});

test('a thread with a way to new privileges that the first process has not is no part of a checkpoint', async () => {
  await rig.node.add({ pid: 70, ppid: 60, name: 'slurm_script', noNewPrivs: true });
  expect((await failed(await accepted(rig.ask()))).details).toBe(
    'a thread of the job has a way to new privileges',
  );
  await rig.leaves('core-70.img', coreImage({ ...ordinary(1500, 1500), noNewPrivs: true }));
  await rig.saved();
});

test('a CRIU that leaves half of it, or a record that is none', async () => {
  await rig.leaves('mode', 'cut');
  expect((await failed(await accepted(rig.ask()))).details).toContain('no statistics');
  await rig.leaves('mode', '');
  await rig.leaves('record', 'fd 70 1 102001 0:99 17 24 100644 1 /net/out\n');
  expect((await failed(await accepted(rig.ask()))).details).toBe('the record of open files is cut');
  expect(await rig.store.ofJob(7)).toEqual([]);
});

test('processes that a killed CRIU left stopped are woken, and those that stood before are not', async () => {
  await rig.node.add({ pid: 72, ppid: 70, state: 'T' });
  await rig.leaves('mode', 'wait');
  rig.before.set('criu-dump-1', async () => {
    await rig.node.add({ pid: 70, ppid: 60, name: 'slurm_script', state: 'T' });
    return {
      ok: false,
      why: 'timeout',
      exitCode: null,
      stdout: Buffer.alloc(0),
      stderr: '',
      message: 'slow',
    };
  });
  await failed(await accepted(rig.ask()));
  expect(rig.signals).toEqual(['SIGCONT 70']);
});

test('a CRIU that hangs is told of as long as it does, and not ended: its own code is in the job', async () => {
  await rig.leaves('mode', 'wait');
  const ask = accepted(rig.ask());
  rig.isLate = true;
  const told = () => rig.log.lines.filter(({ message }) => message.startsWith('job 7 stands still: CRIU'));
  await until(() => told().length > 2, { what: 'the log to say it', everyMs: 5 });
  expect(told()[1]).toMatchObject({
    level: 'error',
    fields: { job_id: 7 },
    message: expect.stringContaining('for 600 s'),
  });
  rig.isLate = false;
  await rig.leaves('go', '');
  const actionId = await ask;
  await until(() => rig.checkpointer.status(actionId) === null, { what: 'the checkpoint', everyMs: 5 });
  expect((await rig.store.ofJob(7)).map(({ manifest }) => manifest.actionId)).toEqual([actionId]);
});

test('a batch script that ends during the dump has no checkpoint: its pid may be another’s', async () => {
  rig.before.set('criu-dump-1', async () => {
    await rig.node.add({ pid: 70, ppid: 60, name: 'slurm_script', startTime: 9_999 });
    return undefined;
  });
  expect((await failed(await accepted(rig.ask()))).details).toBe(
    'the batch script of job 7 ended during the dump',
  );
});

test('a store that takes nothing is an error for that checkpoint alone', async () => {
  await chmod(rig.config.dir, 0o777);
  expect((await failed(await accepted(rig.ask()))).details).toContain('is writable by others');
  await chmod(rig.config.dir, 0o700);
  await rig.saved();
});

test('local files that the job writes: simple says which kind carries them', async () => {
  const record = `fd 70 3 1 8:1 18 5 100644 1 ${join('/tmp', 'here')}\nend 1\n`;
  await rig.leaves('record', record);
  expect((await failed(await accepted(rig.ask()))).details).toBe(
    'the job has files open, or stands in folders, that only this node has ("/tmp/here"): use kind rootfs, which carries them',
  );
  expect([await rig.node.freezerState(), rig.signals]).toEqual(['THAWED', []]);
});

const root = process.geteuid?.() === 0;
if (!root && process.env['CI']) throw new Error('CI runs this as root');
if (!root) console.warn('LEFT OUT: a folder of a job; only root can give it to another user');

test.skipIf(!root)(
  'a folder of this node that the job stands in: the same, though it writes nothing',
  async () => {
    // Not on the device of the store, which counts as shared.
    await using made = await mkdtempDisposable('/dev/shm/ckptd-stands-in-');
    const folder = made.path;
    await chown(folder, 1500, 1500);
    await symlink(folder, join(rig.node.proc, '70/cwd'));
    const { dev, ino } = await stat(folder, { bigint: true });
    const { major, minor } = deviceOf(dev);
    await rig.leaves('record', `cwd 70 ${major}:${minor} ${ino} 40755 ${folder}\nend 1\n`);
    expect((await failed(await accepted(rig.ask()))).details).toContain(`only this node has ("${folder}")`);
    // One that is root's is on every node, as far as anybody knows.
    await chown(folder, 0, 0);
    await rig.saved();
  },
);

/** The older checkpoints of job 7, by why they are not used any more. */
const deprecated = async (...ids: string[]) =>
  Promise.all(ids.map(async (each) => (await rig.store.find(each, 7))?.deprecated ?? null));
const OVERWRITTEN = 'job 7 began anew as restart 1: this does not fit its files any more';

test('the first checkpoint of a run that began anew retires those of the runs before', async () => {
  const [first, files] = [await rig.saved(), await rig.saved('rootfsonly')];
  await rig.slurm.setJob(7, { RestartCnt: 1 });
  const next = await rig.saved();
  await until(async () => (await deprecated(first))[0] !== null, { what: 'the first', everyMs: 5 });
  expect(await deprecated(first, files, next)).toEqual([OVERWRITTEN, null, null]);
});

test('while Slurm cannot be asked, a run that it told of before is saved by that word, and no other', async () => {
  const first = await rig.saved();
  await rig.slurm.setMode('away');
  const second = await rig.saved();
  expect((await rig.store.find(second))?.manifest).toMatchObject({
    ...(await rig.store.find(first))!.manifest,
    actionId: second,
    takenAt: expect.any(Number),
    publishedAt: expect.any(Number),
  });
  expect(rig.log.lines.map(({ message }) => message)).toContain(
    'job 7 is saved by what Slurm last said of it',
  );

  const refused = {
    ok: false,
    status: 500,
    message: expect.stringContaining('Slurm cannot be asked about job 7'),
  };
  await writeFile(join(rig.node.step, 'freezer.state'), 'FROZEN\n');
  expect(await rig.ask()).toEqual(refused);
  await writeFile(join(rig.node.step, 'freezer.state'), 'THAWED\n');
  await rig.node.add({ pid: 70, ppid: 60, name: 'slurm_script', startTime: 999 });
  expect(await rig.ask()).toEqual(refused);
  expect(await rig.move(first)).toMatchObject({ ok: false, status: 500 });
});

test('what Slurm said before it said that the job does not run any more is not gone by', async () => {
  await rig.saved();
  await rig.slurm.setJob(7, { State: 'SUSPENDED' });
  expect(await rig.ask()).toMatchObject({ status: 404 });
  await rig.slurm.setMode('away');
  expect(await rig.ask()).toMatchObject({ status: 500 });
});
