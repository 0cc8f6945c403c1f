import { chmod, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { until } from '../../lab/until.ts';
import { Rig } from '../support/rig.ts';

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
      { name: 'core-70.img', bytes: 6 },
      { name: 'files.img', bytes: 6 },
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
    'the job writes to files that only this node has ("/tmp/here"): use kind rootfs, which carries them',
  );
  expect([await rig.node.freezerState(), rig.signals]).toEqual(['THAWED', []]);
});
