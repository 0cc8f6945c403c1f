import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Order } from '../../../daemon/engine/manifest.ts';
import { StoreError } from '../../../daemon/engine/store-error.ts';
import { until } from '../../lab/until.ts';
import { Rig, says, TIMED_OUT } from '../support/rig.ts';

let rig: Rig;
beforeEach(async () => {
  rig = await Rig.make();
});
afterEach(() => rig[Symbol.asyncDispose]());

/** What is true at the moment when Slurm is told to requeue. */
function atRequeue(look: () => Promise<void>): void {
  rig.before.set('scontrol-requeue', async () => {
    await look();
    return undefined;
  });
}
const released = () =>
  until(async () => (await rig.acts()).length >= 2, { what: 'the hold to be lifted', everyMs: 5 });
const runsOn = async () => [
  await rig.node.freezerState(),
  await rig.left('run/frozen'),
  await rig.store.readOrder(7),
];
const RUNS_ON = ['THAWED', [], null];

test('frozen, dumped, published, ordered, requeued, killed, released: in this order', async () => {
  const first = await rig.saved();
  const seen: unknown[] = [];
  atRequeue(async () => {
    const order = (await rig.store.readOrder(7))!;
    const found = await rig.store.find(order.actionId);
    seen.push(await rig.node.freezerState(), await rig.marker(), order, found?.manifest.reason, [
      ...rig.signals,
    ]);
  });
  const answer = await rig.move(first);
  expect(answer).toEqual({ ok: true, actionId: expect.not.stringMatching(first) });
  const actionId = answer.ok && answer.actionId;
  expect(seen).toEqual([
    'FROZEN',
    expect.objectContaining({ jobId: 7, restarts: 0, actionId, requeueing: true }),
    expect.objectContaining({
      actionId,
      restarts: 1,
      uid: 1500,
      fromNode: 'n1',
      excludedNodes: '',
      ended: true,
    }),
    'restore',
    [],
  ]);
  expect(await rig.dumps()).toEqual(['70 --leave-running', '70 --leave-stopped']);
  expect(rig.signals).toEqual(['SIGKILL 70', 'SIGKILL 71']);
  expect([await rig.node.freezerState(), await rig.left('run/frozen'), await rig.left('work/dump')]).toEqual([
    'THAWED',
    [],
    [],
  ]);
  await released();
  expect(await rig.acts()).toEqual(['requeue 7', 'update jobid=7 StartTime=now ExcNodeList=n1']);
});

test('a job that Slurm resumed while it was saved has gone on from there: it stays', async () => {
  const first = await rig.saved();
  const begin = rig.store.begin;
  vi.spyOn(rig.store, 'begin').mockImplementation(async (...args) => {
    await writeFile(join(rig.node.step, 'freezer.state'), 'THAWED\n');
    return begin(...args);
  });
  expect(await rig.move(first)).toEqual({
    ok: false,
    status: 500,
    message: 'job 7 runs on: somebody let it go on while it was saved',
  });
  expect([await runsOn(), await rig.acts(), rig.signals]).toEqual([RUNS_ON, [], []]);
});

test('a drained node, and one that the owner asked for, are not excluded', async () => {
  await rig.slurm.setNode('n1', 'mixed+drain');
  await rig.move(await rig.saved());
  await released();
  expect((await rig.acts())[1]).toBe('update jobid=7 StartTime=now');
  await rig.slurm.setNode('n1', 'mixed');
  const required = { ReqNodes: 'n[1-2]', ExcNodes: 'n9' };
  await rig.slurm.setJob(7, { RestartCnt: 1, ...required });
  await rig.move(await rig.saved());
  await until(async () => (await rig.acts()).length >= 4, { what: 'the second hold', everyMs: 5 });
  // The first order remembers that the owner excluded no node.
  expect((await rig.acts())[3]).toBe('update jobid=7 StartTime=now ExcNodeList=');
});

test('the nodes that the owner excludes stay excluded, and are remembered', async () => {
  const excluding = { RestartCnt: 0, ExcNodes: 'n[8-9]' };
  await rig.slurm.setJob(7, excluding);
  await rig.move(await rig.saved());
  await released();
  expect((await rig.acts())[1]).toBe('update jobid=7 StartTime=now ExcNodeList=n[8-9],n1');
  expect((await rig.store.readOrder(7))?.excludedNodes).toBe('n[8-9]');
});

test('one task of an array is requeued, and not the whole array', async () => {
  await rig.slurm.setJob(7, { ArrayJobID: 5, ArrayTaskID: 2 });
  await rig.slurm.setJob(5, { ArrayJobID: 5, ArrayTaskID: 1 });
  expect(await rig.move(await rig.saved(), 'manual')).toMatchObject({ ok: true });
  await released();
  expect(await rig.acts()).toEqual(['requeue 5_2', 'update jobid=5_2 StartTime=now']);
  expect(await rig.slurm.job(5, 'RestartCnt')).toBe('0');
});

test('the next run is not killed where it has the cgroup of the old one already', async () => {
  const first = await rig.saved();
  rig.before.set('scontrol-requeue', async () => {
    await rig.node.remove(70);
    await rig.node.remove(71);
    await rig.node.add({ pid: 75, ppid: 60, name: 'slurm_script' });
    return undefined;
  });
  expect(await rig.move(first)).toMatchObject({ ok: true });
  expect([rig.signals, await rig.marker()]).toEqual([[], null]);
  await released();
});

test('what a run left behind is killed with its batch script gone', async () => {
  const first = await rig.saved();
  rig.before.set('scontrol-requeue', async () => {
    await rig.node.remove(70);
    return undefined;
  });
  expect(await rig.move(first)).toMatchObject({ ok: true });
  expect(rig.signals).toEqual(['SIGKILL 71']);
  await released();
});

test('Slurm refuses: a 400 in its words, and the job runs on', async () => {
  const first = await rig.saved();
  rig.before.set('scontrol-requeue', async () => says('Requested operation is presently disabled for job 7'));
  expect(await rig.move(first)).toMatchObject({
    ok: false,
    status: 400,
    message: expect.stringContaining('Requested operation is presently disabled for job 7'),
  });
  expect(await runsOn()).toEqual(RUNS_ON);
  expect(rig.signals).toEqual([]);
});

test('a --no-requeue job is not even stopped', async () => {
  const first = await rig.saved();
  await rig.slurm.setJob(7, { Requeue: 0 });
  expect(await rig.move(first)).toMatchObject({
    status: 400,
    message: expect.stringContaining('--no-requeue'),
  });
  expect(await rig.dumps()).toHaveLength(1);
});

test('a suspended job is not even stopped: to let go of it would be to resume it', async () => {
  const first = await rig.saved();
  await rig.slurm.setJob(7, { State: 'SUSPENDED' });
  expect(await rig.move(first)).toMatchObject({
    status: 400,
    message: expect.stringContaining('suspended'),
  });
  expect(await rig.dumps()).toHaveLength(1);
});

test('a dump that fails: a 400 in CRIU’s words, and the job runs on', async () => {
  const first = await rig.saved();
  await rig.leaves('mode', 'fail');
  const answer = await rig.move(first);
  expect(answer).toMatchObject({ status: 400, message: expect.stringContaining('Connected TCP socket') });
  expect(await runsOn()).toEqual(RUNS_ON);
  expect(await rig.acts()).toEqual([]);
});

test('processes that the dump stopped are woken when the job stays, but for those that stood before', async () => {
  await rig.node.add({ pid: 71, ppid: 70, name: 'sleep', state: 'T' });
  const first = await rig.saved();
  atRequeue(async () => {});
  rig.before.set('scontrol-requeue', async () => {
    await rig.node.add({ pid: 70, ppid: 60, name: 'slurm_script', state: 'T' });
    return says('Requested operation is presently disabled for job 7');
  });
  await rig.move(first);
  expect(rig.signals).toEqual(['SIGCONT 70']);
});

test('slurmctld is away for too long: 500, nothing was asked of it, the job runs on', async () => {
  const first = await rig.saved();
  rig.before.set('scontrol-requeue', async () =>
    says('Unable to contact slurm controller (connect failure)'),
  );
  const answer = await rig.move(first);
  expect(answer).toMatchObject({ status: 500, message: expect.stringContaining('connect failure') });
  expect(await runsOn()).toEqual(RUNS_ON);
});

test('slurmctld comes back in time', async () => {
  const first = await rig.saved();
  let asked = 0;
  rig.before.set('scontrol-requeue', async () =>
    ++asked < 5 ? says('Unable to contact slurm controller (connect failure)') : undefined,
  );
  expect(await rig.move(first)).toMatchObject({ ok: true });
  expect(asked).toBe(5);
});

test('Slurm refuses because it has requeued the job already: the old run ends here', async () => {
  const first = await rig.saved();
  rig.before.set('scontrol-requeue', async () => {
    await rig.slurm.setJob(7, { State: 'PENDING', RestartCnt: 1, NodeList: '', BatchHost: 'n/a' });
    return says('Job is pending execution for job 7');
  });
  expect(await rig.move(first)).toMatchObject({ ok: true });
  expect(rig.signals).toEqual(['SIGKILL 70', 'SIGKILL 71']);
  expect(await rig.store.readOrder(7)).toMatchObject({ restarts: 1 });
});

test('the answer to the requeue is lost: Slurm is looked at, and not told twice', async () => {
  const first = await rig.saved();
  rig.before.set('scontrol-requeue', async (command) => {
    rig.before.delete('scontrol-requeue');
    await rig.slurm.setJob(7, { State: 'COMPLETING', RestartCnt: 1 });
    return command && TIMED_OUT;
  });
  expect(await rig.move(first)).toMatchObject({ ok: true });
  expect((await rig.acts()).filter((act) => act.startsWith('requeue'))).toEqual([]);
  expect(rig.signals).toEqual(['SIGKILL 70', 'SIGKILL 71']);
});

test.each([
  [
    'was taken',
    { State: 'PENDING', RestartCnt: 1, NodeList: '', BatchHost: 'n/a' },
    ['SIGKILL 70', 'SIGKILL 71'],
    1,
  ],
  ['was not taken', {}, [], null],
])('nobody knows whether the requeue %s: frozen until Slurm says', async (_, fields, signals, ordered) => {
  const first = await rig.saved();
  rig.before.set('scontrol-requeue', async () => {
    await rig.slurm.setMode('away');
    return TIMED_OUT;
  });
  expect(await rig.move(first)).toMatchObject({
    ok: false,
    status: 500,
    message: expect.stringContaining('nobody knows'),
  });
  expect([await rig.node.freezerState(), (await rig.marker())?.requeueing, rig.signals]).toEqual([
    'FROZEN',
    true,
    [],
  ]);
  // Nobody else touches it meanwhile.
  expect(await rig.ask()).toMatchObject({
    status: 404,
    message: expect.stringContaining('a restore is under way'),
  });
  await rig.slurm.setJob(7, fields);
  await rig.slurm.setMode('well');
  await until(async () => (await rig.marker()) === null, { what: 'the job to be let go', everyMs: 5 });
  expect(await rig.node.freezerState()).toBe('THAWED');
  expect(rig.signals).toEqual(signals);
  expect((await rig.store.readOrder(7))?.restarts ?? null).toBe(ordered);
});

test('a job that its owner cancels while it is dumped is not brought back', async () => {
  const first = await rig.saved();
  rig.before.set('criu-dump-1', async () => {
    await rig.slurm.setJob(7, { State: 'COMPLETING' });
    return undefined;
  });
  expect(await rig.move(first)).toMatchObject({
    status: 400,
    message: expect.stringContaining('job 7 is COMPLETING'),
  });
  expect(await rig.acts()).toEqual([]);
  expect(await runsOn()).toEqual(RUNS_ON);
});

test('a store that takes nothing: 500, and the job runs on', async () => {
  const first = await rig.saved();
  const full = Promise.reject(new Error('ENOSPC: no space left on device'));
  full.catch(() => undefined);
  rig.store.begin = () => full;
  expect(await rig.move(first)).toMatchObject({ status: 500, message: expect.stringContaining('ENOSPC') });
  expect(await runsOn()).toEqual(RUNS_ON);
});

test('an order that comes into its place when the job was let go is taken back once the store answers', async () => {
  const first = await rig.saved();
  const { writeOrder, readOrder } = rig.store;
  const late: Order[] = [];
  let tries = 0;
  vi.spyOn(rig.store, 'writeOrder').mockImplementation(async (order) => {
    late.push(order);
    throw new StoreError('the file system did not answer within 30 s');
  });
  vi.spyOn(rig.store, 'readOrder').mockImplementation(async (jobId) => {
    if (late.length > 0) tries++;
    if (late.length > 0) throw new StoreError('the file system hangs');
    return readOrder(jobId);
  });
  expect(await rig.move(first)).toMatchObject({ status: 500, message: expect.stringContaining('runs on') });
  // It does not wait for that.
  expect([await rig.node.freezerState(), await rig.marker()]).toEqual(['THAWED', null]);
  await until(() => tries > 3, { what: 'the store to be asked again and again', everyMs: 5 });
  await writeOrder(late[0]!);
  late.length = 0;
  await until(async () => (await readOrder(7)) === null, { what: 'the order to go', everyMs: 5 });
});

test('an order that is another one by then stays', async () => {
  const first = await rig.saved();
  const { writeOrder, readOrder } = rig.store;
  let hangs = true;
  rig.before.set('scontrol-requeue', async () => {
    vi.spyOn(rig.store, 'readOrder').mockImplementation(async (jobId) => {
      if (hangs) throw new StoreError('the file system hangs');
      return readOrder(jobId);
    });
    return says('Requested operation is presently disabled for job 7');
  });
  expect(await rig.move(first)).toMatchObject({ status: 400 });
  await writeOrder({ ...(await readOrder(7))!, actionId: first });
  hangs = false;
  await until(() => rig.log.lines.some(({ message }) => /the store answers again/.test(message)), {
    what: 'the last look',
    everyMs: 5,
  });
  expect(await readOrder(7)).toMatchObject({ actionId: first });
});

test('a second ask joins the first, and a checkpoint meanwhile is refused', async () => {
  const first = await rig.saved();
  await rig.leaves('mode', 'wait');
  const one = rig.move(first);
  const two = rig.move(first, 'manual');
  await until(async () => (await rig.dumps()).length === 2, { what: 'the dump', everyMs: 5 });
  expect(await rig.ask()).toMatchObject({ status: 404, message: 'a restore is under way for job 7' });
  await rig.leaves('go', '');
  expect(await two).toEqual(await one);
  expect(await one).toMatchObject({ ok: true });
  expect(await rig.dumps()).toHaveLength(2);
});

test('a heartbeat’s dump that is under way ends first', async () => {
  const first = await rig.saved();
  await rig.leaves('mode', 'wait');
  expect(await rig.ask()).toMatchObject({ ok: true });
  const moved = rig.move(first);
  await rig.leaves('go', '');
  expect(await moved).toMatchObject({ ok: true });
  expect((await rig.dumps()).map((dump) => dump.split(' ')[1])).toEqual([
    '--leave-running',
    '--leave-running',
    '--leave-stopped',
  ]);
});

test.skipIf(process.getuid?.() !== 0)(
  'rootfsonly has no dump (needs root): the job is frozen while its files are packed',
  async () => {
    const first = await rig.saved('rootfsonly');
    expect((await rig.store.find(first))?.manifest).toMatchObject({
      kind: 'rootfsonly',
      criu: null,
      images: [],
      carried: [],
    });
    expect(await rig.move(first)).toMatchObject({ ok: true });
    expect((await rig.dumps()).map((dump) => dump.trim())).toEqual(['', '']);
    expect(rig.signals).toEqual(['SIGKILL 70', 'SIGKILL 71']);
  },
);

test('an engine that is told to stop lets the job go on first', async () => {
  const first = await rig.saved();
  rig.before.set('scontrol-requeue', async () => {
    rig.stop();
    return says('Unable to contact slurm controller (connect failure)');
  });
  const answer = rig.move(first);
  await until(() => rig.stopping, { what: 'the stop', everyMs: 5 });
  await rig.checkpointer[Symbol.asyncDispose]();
  expect(await runsOn()).toEqual(RUNS_ON);
  expect(await answer).toMatchObject({ status: 500 });
});
