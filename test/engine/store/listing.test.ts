import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { order, put, scene } from './support.ts';

const DAY = 86_400_000;

test('the list has the checkpoints of all nodes, in short, and what is wrong with those that are damaged', async () => {
  using it = scene();
  expect(await it.store.list()).toEqual([]);
  const own = await put(it.store, 7);
  const other = await put(it.other('n2'), 90, { node: 'n2', kind: 'rootfs' });
  const damaged = await put(it.other('n2'), 91);
  writeFileSync(join(damaged.dir, 'manifest.json'), '{');
  await it.store.deprecate(other.manifest.actionId, 'it does not fit');
  const summary = {
    restarts: 0,
    jobName: own.manifest.jobName,
    user: 'alice',
    node: 'n1',
    kind: 'simple',
    reason: 'heartbeat',
    takenAt: own.manifest.takenAt,
    storedBytes: 5,
  };
  const expected = [
    { actionId: own.manifest.actionId, jobId: 7, summary, deprecated: null, problem: null },
    {
      actionId: damaged.manifest.actionId,
      jobId: 91,
      summary: null,
      deprecated: null,
      problem: expect.stringMatching(/damaged/),
    },
    {
      actionId: other.manifest.actionId,
      jobId: 90,
      summary: { ...summary, node: 'n2', kind: 'rootfs' },
      deprecated: 'it does not fit',
      problem: null,
    },
  ];
  expect(await it.store.list()).toEqual(expected);
  // Again, from what it remembers: with a mark that is new since, and without what is gone.
  await it.other('n2').deprecate(own.manifest.actionId, 'later');
  await it.store.removeJob(90, 'over');
  expect(await it.store.list()).toEqual([{ ...expected[0], deprecated: 'later' }, expected[1]]);
});

test('lists asked for at once are one', async () => {
  using it = scene();
  await put(it.store, 7);
  const [a, b] = await Promise.all([it.store.list(), it.store.list()]);
  expect(a).toBe(b);
});

test("half-written folders go if they are this node's, or nobody's and old", async () => {
  using it = scene();
  const mine = await it.store.begin(7, randomUUID());
  const theirs = await it.other('n2').begin(7, randomUUID());
  const nameless = await it.other('n3').begin(7, randomUUID());
  rmSync(join(nameless.dir, '.writer'));
  // As the engine that is writing, and as the one that comes after it.
  expect(await it.store.upkeep.removeHalfWritten(7, 'n1', Date.now())).toEqual([]);
  const after = it.other('n1');
  const removed = await after.upkeep.removeHalfWritten(7, 'n1', Date.now());
  expect(removed.map((id) => `.new-${id}`)).toEqual([mine.dir.split('/').at(-1)]);
  expect([mine, theirs, nameless].map(({ dir }) => existsSync(dir))).toEqual([false, true, true]);
  utimesSync(nameless.dir, (Date.now() - DAY) / 1000, (Date.now() - DAY) / 1000);
  expect(await after.upkeep.removeHalfWritten(7, 'n1', Date.now())).toHaveLength(1);
  expect([theirs, nameless].map(({ dir }) => existsSync(dir))).toEqual([true, false]);
});

test('a node knows its own jobs without a scan of all, and forgets those that it has nothing of', async () => {
  using it = scene();
  const { upkeep } = it.store;
  const first = await put(it.store, 7);
  await put(it.store, 8);
  await put(it.other('n2'), 9, { node: 'n2' });
  expect([...(await upkeep.jobsOf('n1'))].sort()).toEqual([7, 8]);
  expect(await upkeep.jobsOf('n2')).toEqual([9]);
  expect(await upkeep.holds(7, 'n1')).toBe(true);
  expect(await upkeep.holds(7, 'n2')).toBe(false);
  await it.store.writeOrder(order(9, randomUUID()));
  expect(await upkeep.holds(9, 'n1')).toBe(true);
  // What cannot be read is somebody's.
  writeFileSync(join(first.dir, 'manifest.json'), '{');
  expect(await upkeep.holds(7, 'n2')).toBe(true);

  await it.store.removeJob(7, 'over');
  expect(await upkeep.holds(7, 'n1')).toBe(false);
  await upkeep.forget(7, 'n1');
  expect(await upkeep.jobsOf('n1')).toEqual(expect.arrayContaining([8, 9]));
});

test('the folder of a node that is gone goes with its last job', async () => {
  using it = scene();
  const { upkeep } = it.store;
  await put(it.other('n2'), 9, { node: 'n2' });
  await upkeep.freshen(Date.now());
  expect(await upkeep.silentSince(Date.now() - DAY)).toEqual([]);
  expect(await upkeep.silentSince(Date.now() + DAY)).toEqual(['n2']);
  await it.store.removeJob(9, 'over');
  await upkeep.forget(9, 'n2');
  await upkeep.dropNode('n2');
  await upkeep.dropNode('n1');
  expect(readdirSync(join(it.cluster, '.nodes'))).toEqual(['n1']);
});
