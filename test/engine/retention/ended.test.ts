import { randomUUID } from 'node:crypto';
import { chmodSync } from 'node:fs';
import { expect, test } from 'vitest';
import { followEnded } from '../../../daemon/engine/retention/ended.ts';
import { order, put } from '../store/support.ts';
import { type LifeScene, lifeScene } from './support.ts';

const left = async ({ it }: LifeScene) => (await it.store.ofJob(7)).length;

test.each([
  ['COMPLETED', 0],
  ['FAILED', 0],
  ['TIMEOUT', 1],
  ['CANCELLED', 0],
  ['OUT_OF_MEMORY', 0],
  ['PREEMPTED', 1],
  ['PENDING', 1],
  ['RUNNING', 1],
  ['REQUEUED', 1],
  ['REQUEUE_HOLD', 1],
  ['SPECIAL_EXIT', 1],
  ['SUSPENDED', 1],
  ['NODE_FAIL', 1],
  ['BOOT_FAIL', 1],
])('a job that is %s five seconds after its Epilog has %d checkpoints left', async (state, count) => {
  await using s = await lifeScene();
  await put(s.it.store, 7);
  await put(s.it.store, 8);
  await s.slurm.setJob(7, { State: state, RestartCnt: 1 });
  const ended = followEnded(s.ports, s.stop.signal);
  ended.tell(7);
  await s.clock.whenSleeping();
  s.clock.advance(4_999);
  expect(await s.asked()).toEqual([]);
  s.clock.advance(1);
  await ended.settled();
  expect(await left(s)).toBe(count);
  expect(await s.it.store.ofJob(8)).toHaveLength(1);
  // One single-record look.
  expect(await s.asked()).toEqual(['7']);
});

test('a job that Slurm has forgotten is over', async () => {
  await using s = await lifeScene();
  await put(s.it.store, 7);
  const ended = followEnded(s.ports, s.stop.signal);
  ended.tell(7);
  await s.clock.whenSleeping();
  s.clock.advance(5_000);
  await ended.settled();
  expect(await left(s)).toBe(0);
});

test('what has no checkpoints is not asked for', async () => {
  await using s = await lifeScene();
  await put(s.it.store, 8);
  const ended = followEnded(s.ports, s.stop.signal);
  ended.tell(7);
  await ended.settled();
  expect(await s.asked()).toEqual([]);
});

test('while it completes, or Slurm is away, it is asked for again, later and later', async () => {
  await using s = await lifeScene();
  await put(s.it.store, 7);
  await s.slurm.setJob(7, { State: 'COMPLETING' });
  const ended = followEnded(s.ports, s.stop.signal);
  ended.tell(7);
  await s.clock.run(5_000);
  await s.clock.whenSleeping();
  await s.slurm.setMode('away');
  await s.clock.run(10_000);
  await s.clock.whenSleeping();
  expect(await left(s)).toBe(1);
  await s.slurm.setMode('well');
  await s.slurm.setJob(7, { State: 'COMPLETED' });
  await s.clock.whenSleeping();
  s.clock.advance(30_000);
  await ended.settled();
  expect(await left(s)).toBe(0);
  expect(await s.asked()).toHaveLength(3);
});

test('a Slurm that never says is left to the hourly round, and nothing is removed', async () => {
  await using s = await lifeScene();
  await put(s.it.store, 7);
  await s.slurm.setMode('garbage');
  const ended = followEnded(s.ports, s.stop.signal);
  ended.tell(7);
  for (const pause of [5_000, 10_000, 30_000, 60_000, 300_000, 900_000]) {
    await s.clock.whenSleeping();
    s.clock.advance(pause);
  }
  await ended.settled();
  expect(await left(s)).toBe(1);
  expect(s.it.log.lines.map(({ message }) => message)).toContain(
    'job 7 ended here, and Slurm does not say how: looked into later',
  );
});

test('told again before the look, it is looked into once; told while it is, once more', async () => {
  await using s = await lifeScene();
  await put(s.it.store, 7);
  await s.slurm.setJob(7, { State: 'PENDING' });
  const looks: number[] = [];
  const lookup: typeof s.ports.lookup = (jobId, signal) => {
    looks.push(jobId);
    if (looks.length === 2) ended.tell(7);
    return s.ports.lookup(jobId, signal);
  };
  const ended = followEnded({ ...s.ports, lookup }, s.stop.signal);
  for (let once = 0; once < 2; once++) {
    ended.tell(7);
    ended.tell(7);
    await s.clock.whenSleeping();
    s.clock.advance(5_000);
    if (once === 0) await ended.settled();
  }
  await s.clock.whenSleeping();
  s.clock.advance(10_000);
  await ended.settled();
  expect(looks).toEqual([7, 7, 7]);
});

test('an order that was just written keeps the checkpoints of a job that is over', async () => {
  await using s = await lifeScene();
  const { manifest } = await put(s.it.store, 7);
  await s.slurm.setJob(7, { State: 'COMPLETED' });
  await s.it.store.writeOrder(order(7, manifest.actionId, { createdAt: s.clock.now() }));
  const ended = followEnded(s.ports, s.stop.signal);
  ended.tell(7);
  for (const pause of [5_000, 10_000, 30_000, 60_000, 300_000]) {
    await s.clock.whenSleeping();
    s.clock.advance(pause);
  }
  await s.clock.whenSleeping();
  expect(await left(s)).toBe(1);
  // It did not happen.
  s.clock.advance(900_000);
  await ended.settled();
  expect(await left(s)).toBe(0);
});

test('an order that was carried out keeps nothing', async () => {
  await using s = await lifeScene();
  const { manifest } = await put(s.it.store, 7);
  await s.slurm.setJob(7, { State: 'COMPLETED', RestartCnt: 1 });
  await s.it.store.writeOrder(order(7, manifest.actionId, { restarts: 1, createdAt: s.clock.now() }));
  const ended = followEnded(s.ports, s.stop.signal);
  ended.tell(7);
  await s.clock.whenSleeping();
  s.clock.advance(5_000);
  await ended.settled();
  expect(await left(s)).toBe(0);
});

test('a store that fails is said, and the engine goes on', async () => {
  await using s = await lifeScene();
  await put(s.it.store, 7);
  await s.slurm.setJob(7, { State: 'COMPLETED' });
  const ended = followEnded(s.ports, s.stop.signal);
  ended.tell(7);
  await s.clock.whenSleeping();
  chmodSync(s.it.dir, 0o777);
  s.clock.advance(5_000);
  await ended.settled();
  expect(s.it.log.lines).toEqual([
    expect.objectContaining({ level: 'warn', message: expect.stringMatching(/^job 7 .*writable by others/) }),
  ]);
  chmodSync(s.it.dir, 0o700);
  expect(await left(s)).toBe(1);
});

test('a stop ends what is followed at once, and removes nothing', async () => {
  await using s = await lifeScene();
  await put(s.it.store, 7);
  const ended = followEnded(s.ports, s.stop.signal);
  ended.tell(7);
  await s.clock.whenSleeping();
  s.stop.abort(new Error('stopped'));
  await ended.settled();
  expect(await left(s)).toBe(1);
  ended.tell(randomUUID().length);
  await ended.settled();
});
