import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { StoreError } from '../../../daemon/engine/store-error.ts';
import { until } from '../../lab/until.ts';
import { Rig, says } from '../support/rig.ts';

let rig: Rig;
let saved: string;
beforeEach(async () => {
  rig = await Rig.make();
  saved = await rig.saved();
});
afterEach(() => rig[Symbol.asyncDispose]());

const acts = async (count: number) => {
  await until(async () => (await rig.acts()).length >= count, { what: `${count} acts`, everyMs: 5 });
  return rig.acts();
};
const GONE = { NodeList: '', BatchHost: 'n/a' };

test.each(['NODE_FAIL', 'PREEMPTED', 'BOOT_FAIL'])(
  'a job lost as %s is requeued from the named checkpoint',
  async (State) => {
    await rig.slurm.setJob(7, { ...GONE, State });
    expect(await rig.move(saved, 'nodeUnschedulable')).toEqual({ ok: true, actionId: saved });
    const order = await rig.store.readOrder(7);
    expect(order).toMatchObject({ actionId: saved, restarts: 1, uid: 1500 });
    // Nobody has ended the run that was lost.
    expect(order).not.toHaveProperty('ended');
    expect(await acts(2)).toEqual(['requeue 7', 'update jobid=7 StartTime=now ExcNodeList=n1']);
    expect(await rig.dumps()).toHaveLength(1);
  },
);

test.each(['COMPLETED', 'CANCELLED', 'FAILED', 'TIMEOUT', 'OUT_OF_MEMORY'])(
  'a job that is %s comes back by hand alone',
  async (State) => {
    await rig.slurm.setJob(7, { ...GONE, State });
    expect(await rig.move(saved)).toMatchObject({
      status: 400,
      message: expect.stringContaining(`by itself (${State})`),
    });
    expect([await rig.acts(), await rig.store.readOrder(7)]).toEqual([[], null]);
    expect(await rig.move(saved, 'manual')).toEqual({ ok: true, actionId: saved });
    expect((await acts(1))[0]).toBe('requeue 7');
  },
);

test('a run that waits already begins from the checkpoint, and no second ask changes that', async () => {
  await rig.slurm.setJob(7, { ...GONE, State: 'PENDING', RestartCnt: 1 });
  expect(await rig.move(saved)).toEqual({ ok: true, actionId: saved });
  expect(await rig.store.readOrder(7)).toMatchObject({ actionId: saved, restarts: 1 });
  expect(await acts(1)).toEqual(['update jobid=7 StartTime=now ExcNodeList=n1']);
  expect(await rig.move(saved)).toEqual({ ok: true, actionId: saved });
});

test('an ask again after a move whose answer was lost gets that answer', async () => {
  const first = await rig.move(saved);
  expect(first).toMatchObject({ ok: true });
  rig.restart();
  expect(await rig.move(saved)).toEqual(first);
  expect((await rig.acts()).filter((act) => act.startsWith('requeue'))).toHaveLength(1);
});

test.each([
  [{ State: 'RUNNING', NodeList: 'n2', BatchHost: 'n2', RestartCnt: 1 }, 400, 'RUNNING on n2'],
  [{ State: 'CONFIGURING', NodeList: 'n2', BatchHost: 'n2', RestartCnt: 1 }, 400, 'CONFIGURING on n2'],
  [{ State: 'COMPLETING' }, 500, 'is completing: ask again'],
  [{ ...GONE, State: 'PENDING' }, 400, 'waits for the very run'],
  [{ ...GONE, State: 'NODE_FAIL', UserID: 1501 }, 404, 'belongs to uid 1501 now'],
  [{ State: 'RUNNING', UserID: 1501 }, 404, 'belongs to uid 1501 now'],
  [{ ...GONE, State: 'NODE_FAIL', Name: 'other' }, 404, 'another name'],
  [{ ...GONE, State: 'NODE_FAIL', SubmitTime: 1_795_461_999 }, 404, 'another job'],
])('%j is a %d: %s', async (fields, status, message) => {
  await rig.slurm.setJob(7, fields);
  expect(await rig.move(saved)).toMatchObject({
    ok: false,
    status,
    message: expect.stringContaining(message),
  });
  expect([await rig.acts(), await rig.store.readOrder(7)]).toEqual([[], null]);
});

test('a job that Slurm forgot, a checkpoint that nobody knows, and one that is not restored from any more: 404', async () => {
  await rig.slurm.forgetJob(7);
  expect(await rig.move(saved)).toMatchObject({ status: 404, message: 'Slurm knows no job 7 any more' });
  expect(await rig.move(crypto.randomUUID())).toMatchObject({
    status: 404,
    message: expect.stringContaining('no checkpoint'),
  });
  await rig.store.deprecate(saved, 'it is old');
  expect(await rig.move(saved)).toMatchObject({
    status: 404,
    message: expect.stringContaining('any more: it is old'),
  });
});

test('Slurm refuses, or is away: no order stays', async () => {
  await rig.slurm.setJob(7, { ...GONE, State: 'NODE_FAIL' });
  rig.before.set('scontrol-requeue', async () => says('Invalid user id'));
  expect(await rig.move(saved)).toMatchObject({
    status: 400,
    message: expect.stringContaining('Invalid user id'),
  });
  rig.before.set('scontrol-requeue', async () =>
    says('Unable to contact slurm controller (connect failure)'),
  );
  expect(await rig.move(saved)).toMatchObject({ status: 500 });
  expect(await rig.store.readOrder(7)).toBe(null);
  await rig.slurm.setMode('away');
  expect(await rig.move(saved)).toMatchObject({
    status: 500,
    message: expect.stringContaining('cannot be asked'),
  });
});

test('an order that the store does not let go is taken back once it answers', async () => {
  await rig.slurm.setJob(7, { ...GONE, State: 'NODE_FAIL' });
  const { removeOrder } = rig.store;
  let tries = 0;
  rig.before.set('scontrol-requeue', async () => says('Invalid user id'));
  vi.spyOn(rig.store, 'removeOrder').mockImplementation(async (jobId) => {
    if (++tries < 4) throw new StoreError('the file system hangs');
    return removeOrder(jobId);
  });
  expect(await rig.move(saved)).toMatchObject({ status: 400 });
  await until(async () => (await rig.store.readOrder(7)) === null, { what: 'the order to go', everyMs: 5 });
  expect(tries).toBe(4);
});
