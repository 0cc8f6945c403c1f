import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Marker, writeMarker } from '../../../daemon/engine/checkpoint/marker.ts';
import { StoreError } from '../../../daemon/engine/store-error.ts';
import { until } from '../../lab/until.ts';
import { CLUSTER, Rig } from '../support/rig.ts';

const ID = '11111111-2222-4333-8444-555555555555';
let rig: Rig;
beforeEach(async () => {
  rig = await Rig.make();
  await writeFile(join(rig.node.step, 'freezer.state'), 'FROZEN');
  await rig.node.add({ pid: 70, ppid: 60, name: 'slurm_script', state: 'T' });
  await rig.node.add({ pid: 71, ppid: 70, name: 'sleep', state: 'T' });
});
afterEach(() => rig[Symbol.asyncDispose]());

const mark = (over: Partial<Marker> = {}) =>
  writeMarker(rig.config.runDir, {
    jobId: 7,
    restarts: 0,
    uid: 1500,
    actionId: ID,
    cgroup: { version: 1, folder: rig.node.step },
    except: [71],
    requeueing: false,
    ...over,
  });
const order = () =>
  rig.store.writeOrder({
    version: 1,
    jobId: 7,
    clusterId: CLUSTER,
    uid: 1500,
    actionId: ID,
    restarts: 1,
    reason: 'manual',
    fromNode: 'n1',
    createdAt: 1,
    excludedNodes: '',
  });
const letGo = () =>
  until(async () => (await rig.marker()) === null, { what: 'the job to be let go', everyMs: 5 });

test('a job that was left stopped runs on, without a look at Slurm', async () => {
  await mark();
  await rig.slurm.setMode('away');
  await rig.checkpointer.recover();
  expect([await rig.node.freezerState(), rig.signals, await rig.marker()]).toEqual([
    'THAWED',
    ['SIGCONT 70'],
    null,
  ]);
  expect(await rig.slurm.calls('squeue')).toEqual([]);
});

test('a marker that was still being written says nothing, and goes', async () => {
  const folder = join(rig.config.runDir, 'frozen');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, '7.json.new'), '{"jobId":7');
  await rig.checkpointer.recover();
  expect([await readdir(folder), rig.signals]).toEqual([[], []]);
});

test('a job that Slurm has requeued is dead here, and free to start elsewhere', async () => {
  await mark({ requeueing: true });
  await order();
  await rig.slurm.setJob(7, { State: 'PENDING', RestartCnt: 1, NodeList: '', BatchHost: 'n/a' });
  await rig.checkpointer.recover();
  await letGo();
  expect([await rig.node.freezerState(), rig.signals]).toEqual(['THAWED', ['SIGKILL 70', 'SIGKILL 71']]);
  expect(await rig.store.readOrder(7)).toMatchObject({ actionId: ID });
  await until(async () => (await rig.acts()).includes('update jobid=7 StartTime=now'), {
    what: 'the hold',
    everyMs: 5,
  });
});

test('a later run that came back to this node is none of its business', async () => {
  await mark({ requeueing: true, root: { pid: 70, startTime: 1 } });
  await rig.slurm.setJob(7, { RestartCnt: 1 });
  await rig.checkpointer.recover();
  await letGo();
  expect([await rig.node.freezerState(), rig.signals]).toEqual(['FROZEN', []]);
});

test('one that comes while Slurm does not say is none of its business either', async () => {
  await mark({ requeueing: true, root: { pid: 70, startTime: 700 } });
  await rig.slurm.setMode('away');
  await rig.checkpointer.recover();
  // The old run is ended by slurmd, and the next one has the same cgroup, whatever pid it has.
  await rig.node.remove(71);
  await rig.node.add({ pid: 70, ppid: 60, name: 'slurm_script', startTime: 900 });
  await rig.slurm.setJob(7, { RestartCnt: 1 });
  await rig.slurm.setMode('well');
  await letGo();
  expect(rig.signals).toEqual([]);
  expect(rig.log.lines).toContainEqual(
    expect.objectContaining({ level: 'error', fields: expect.objectContaining({ job_id: 7 }) }),
  );
});

test('a requeue that never came runs on, and its order is taken back', async () => {
  await mark({ requeueing: true });
  await order();
  await rig.checkpointer.recover();
  await letGo();
  expect([await rig.node.freezerState(), rig.signals]).toEqual(['THAWED', ['SIGCONT 70']]);
  expect(await rig.store.readOrder(7)).toBe(null);
});

test('while Slurm does not say, the job stays frozen and is not dumped', async () => {
  await mark({ requeueing: true });
  await rig.slurm.setMode('away');
  await rig.checkpointer.recover();
  expect(await rig.ask()).toMatchObject({
    status: 404,
    message: expect.stringContaining('an engine before this one'),
  });
  expect(await rig.node.freezerState()).toBe('FROZEN');
  await rig.slurm.setMode('well');
  await letGo();
  expect(await rig.node.freezerState()).toBe('THAWED');
});

test('a job that ended meanwhile leaves only a marker', async () => {
  await mark({ requeueing: true });
  await rm(rig.node.step, { recursive: true });
  await rig.checkpointer.recover();
  await letGo();
  expect(rig.signals).toEqual([]);
});

test('a marker that cannot be read is told, and touches nothing', async () => {
  await mark();
  await writeFile(
    join(rig.config.runDir, 'frozen/8.json'),
    '{"jobId":8,"cgroup":{"version":1,"folder":"/etc"}}',
  );
  await rig.checkpointer.recover();
  expect(rig.log.lines.filter(({ level }) => level === 'error')).toHaveLength(1);
  expect(await rig.marker()).toBe(null);
});

test('a CRIU that outlives its engine is waited for; what a user calls so is not', async () => {
  const folder = join(rig.config.workDir, 'dump', ID);
  await mkdir(join(folder, 'images'), { recursive: true });
  await mark();
  const cmdline = ['criu', 'dump', '--images-dir', join(folder, 'images')];
  await rig.node.add({ pid: 500, ppid: 1, name: 'criu', uid: 0, cgroup: '/', cmdline });
  await rig.node.add({ pid: 501, ppid: 1, name: 'criu', uid: 1500, cgroup: '/', cmdline });
  await rig.node.add({ pid: 502, ppid: 1, name: 'su', uid: 0, realUid: 1500, cgroup: '/', cmdline });
  await rig.checkpointer.recover();
  expect([await rig.node.freezerState(), await rig.left('work/dump')]).toEqual(['FROZEN', [ID]]);
  await rm(join(rig.node.proc, '500'), { recursive: true });
  await letGo();
  await until(async () => (await rig.left('work/dump')).length === 0, {
    what: 'the folder to go',
    everyMs: 5,
  });
  expect(rig.signals).toEqual(['SIGCONT 70']);
});

test('a checkpoint that was published as the engine ended is not lost because the store does not answer', async () => {
  const actionId = await rig.saved();
  await mkdir(join(rig.config.workDir, 'dump', actionId), { recursive: true });
  const late = new StoreError('the store hangs', { cause: { code: 'ETIMEDOUT' } });
  const find = vi.spyOn(rig.store, 'find').mockRejectedValueOnce(late);
  await rig.checkpointer.recover();
  await until(async () => find.mock.results.length === 2 && (await find.mock.results[1]!.value), {
    what: 'the store to be asked again',
    everyMs: 5,
  });
  expect(rig.checkpointer.status(actionId)).toBeNull();
});

test('staging folders that were left are removed', async () => {
  await mkdir(join(rig.config.workDir, 'dump', ID, 'images'), { recursive: true });
  await rig.checkpointer.recover();
  expect(await rig.left('work/dump')).toEqual([]);
});

test('a checkpoint that an engine had not finished is lost, and one that was published is not', async () => {
  const published = await rig.saved();
  for (const id of [ID, published])
    await mkdir(join(rig.config.workDir, 'dump', id, 'images'), { recursive: true });
  rig.restart();
  await rig.checkpointer.recover();
  await until(() => rig.checkpointer.status(ID) !== null, { what: 'the word', everyMs: 5 });
  expect(rig.checkpointer.status(ID)).toMatchObject({
    status: 'error',
    details: expect.stringContaining('the engine ended'),
  });
  await rig.checkpointer[Symbol.asyncDispose]();
  expect(rig.checkpointer.status(published)).toBe(null);
});
