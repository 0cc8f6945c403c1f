import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { startRetention } from '../../../daemon/engine/retention/retention.ts';
import { put } from '../store/support.ts';
import { type LifeScene, lifeScene } from './support.ts';

const MINUTE = 60_000;
const HOUR = 3_600_000;

const jobs = ({ it }: LifeScene) =>
  readdirSync(it.cluster)
    .filter((name) => /^\d+$/.test(name))
    .sort();
const start = (s: LifeScene, removed: string[] = []) =>
  startRetention({ ...s.ports, onRemoved: (actionId) => removed.push(actionId) }, s.stop.signal);

test('at the start what this node left half-written goes, before Slurm is asked anything', async () => {
  await using s = await lifeScene();
  const mine = await s.it.other('n1').begin(7, randomUUID());
  const theirs = await s.it.other('n2').begin(7, randomUUID());
  const removed: string[] = [];
  await using _ = start(s, removed);
  await s.clock.whenSleeping();
  expect(removed).toEqual([mine.dir.slice(-36)]);
  expect([existsSync(mine.dir), existsSync(theirs.dir)]).toEqual([false, true]);
  expect(await s.asked()).toEqual([]);
});

test("within a minute, and then hourly, this node's own jobs are looked into, and only these", async () => {
  await using s = await lifeScene();
  await put(s.it.store, 7);
  await put(s.it.store, 8);
  await put(s.it.other('n2'), 9, { node: 'n2' });
  // It went on elsewhere: that node has the newer checkpoints, and these were pruned.
  await put(s.it.store, 10);
  await put(s.it.other('n2', 1), 10, { node: 'n2', takenAt: 1_900_000_000_000 });
  await s.slurm.setJob(7, { State: 'RUNNING' });
  await s.slurm.setJob(8, { State: 'COMPLETED' });
  await s.slurm.setJob(10, { State: 'RUNNING' });
  await using _ = start(s);
  await s.clock.run(MINUTE);
  await s.clock.whenSleeping();
  expect((await s.asked()).sort()).toEqual(['7', '8']);
  expect(jobs(s)).toEqual(['10', '7', '9']);

  await s.slurm.forgetJob(7);
  await s.clock.run(HOUR);
  await s.clock.whenSleeping();
  expect(jobs(s)).toEqual(['10', '9']);
  const before = (await s.asked()).length;
  await s.clock.run(3 * HOUR);
  // Nothing of this node's is left to ask for.
  expect(await s.asked()).toHaveLength(before);
});

test('while Slurm is away nothing goes', async () => {
  await using s = await lifeScene();
  await put(s.it.store, 7);
  await s.slurm.setMode('away');
  await using _ = start(s);
  await s.clock.run(3 * HOUR);
  expect((await s.asked()).length).toBeGreaterThanOrEqual(3);
  expect(jobs(s)).toEqual(['7']);
});

test('what a node that is gone for good left is looked after by the others, once a day', async () => {
  await using s = await lifeScene();
  await put(s.it.other('n9'), 7, { node: 'n9' });
  await put(s.it.other('n9'), 8, { node: 'n9' });
  const half = await s.it.other('n9').begin(8, randomUUID());
  await s.slurm.setJob(8, { State: 'NODE_FAIL' });
  const mark = join(s.it.cluster, '.nodes/n9');
  await using _ = start(s);
  await s.clock.run(24 * HOUR);
  expect(await s.asked()).toEqual([]);
  expect(jobs(s)).toEqual(['7', '8']);

  const long = s.clock.now() / 1000 - 8 * 86_400;
  utimesSync(mark, long, long);
  await s.clock.run(24 * HOUR);
  await s.clock.whenSleeping();
  expect(jobs(s)).toEqual(['8']);
  expect(existsSync(half.dir)).toBe(false);
  expect(readdirSync(mark)).toEqual(['8']);

  await s.slurm.forgetJob(8);
  utimesSync(mark, long, long);
  await s.clock.run(24 * HOUR);
  await s.clock.whenSleeping();
  expect(jobs(s)).toEqual([]);
  expect(existsSync(mark)).toBe(false);
});

test('nodes have beats of their own: not all ask in the same minute', async () => {
  const at = new Set<number>();
  for (let node = 1; node <= 8; node++) {
    await using s = await lifeScene();
    const life = startRetention({ ...s.ports, node: `n${node}`, onRemoved: () => undefined }, s.stop.signal);
    await s.clock.whenSleeping();
    at.add(Math.floor((s.clock.nextAt() % MINUTE) / 1000));
    await life[Symbol.asyncDispose]();
  }
  expect(at.size).toBeGreaterThan(3);
});

test('a job that ended here is followed by the same life, which stops at once when it is told to', async () => {
  await using s = await lifeScene();
  await put(s.it.store, 7);
  await s.slurm.setJob(7, { State: 'COMPLETED' });
  const life = start(s);
  await s.clock.whenSleeping();
  life.ended(7);
  await s.clock.whenSleeping(2);
  s.clock.advance(5_000);
  while (jobs(s).length > 0) await setImmediate();
  life.ended(8);
  await life[Symbol.asyncDispose]();
  await life.done;
});
