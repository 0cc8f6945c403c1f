import { afterEach, beforeEach, expect, test } from 'vitest';
import type { EngineConfig } from '../../../../daemon/engine/config/config.ts';
import type { RunRecord } from '../../../../daemon/engine/manifest.ts';
import {
  announce,
  type Before,
  OLD_RUN_ENDS_WITHIN_MS,
  readRecord,
} from '../../../../daemon/engine/restore/choose/announce.ts';
import type { Parts } from '../../../../daemon/engine/restore/run/parts.ts';
import { respondsBy } from '../../../../daemon/engine/restore/run/responds.ts';
import { StoreError } from '../../../../daemon/engine/store-error.ts';
import { systemExec } from '../../../../daemon/system/process/exec.ts';
import type { JobFacts } from '../../../../daemon/vocabulary/job.ts';
import { ManualClock } from '../../../support/clock.ts';
import { type FakeSlurm, fakeSlurm } from '../../../support/fake-slurm/fake-slurm.ts';
import { recordingLog } from '../../../support/log.ts';
import { FakeStore } from '../fake-store.ts';
import { CLUSTER, foundOf, orderOf } from '../support.ts';

let slurm: FakeSlurm;
let clock: ManualClock;
let log: ReturnType<typeof recordingLog>;
let store: FakeStore;
let stop: AbortController;
beforeEach(async () => {
  slurm = await fakeSlurm();
  [clock, log, store, stop] = [new ManualClock(), recordingLog(), new FakeStore(), new AbortController()];
});
afterEach(() => slurm[Symbol.asyncDispose]());

const facts = { jobId: 7, restarts: 1 } as JobFacts;
const none: Before = { checkpoints: [], order: null, record: null };
const record = (node: string): RunRecord => ({
  ...{ version: 1, jobId: 7, clusterId: CLUSTER, restarts: 0, node, startedAt: 1 },
});

const parts = (): Parts => {
  const config = { clusterId: CLUSTER, slurm: { node: 'n2', bin: slurm.bin, conf: '/none' } } as EngineConfig;
  const responds = respondsBy(systemExec(), slurm.bin);
  return { config, store, clock, log, responds, signal: stop.signal } as unknown as Parts;
};

/** Whether it waited; the time that it did is checked. */
async function waits(before: Before): Promise<boolean> {
  let over = false;
  const done = announce(parts(), facts, before).then(() => {
    over = true;
  });
  await Promise.race([done, clock.whenSleeping()]);
  if (over) return false;
  expect(store.run).not.toBeNull();
  clock.advance(OLD_RUN_ENDS_WITHIN_MS - 1);
  await new Promise(setImmediate);
  expect(over).toBe(false);
  clock.advance(1);
  await done;
  return true;
}

test('the run is recorded, and its node', async () => {
  expect(await waits(none)).toBe(false);
  const { startedAt, ...run } = store.run!;
  expect(run).toEqual({ version: 1, jobId: 7, clusterId: CLUSTER, restarts: 1, node: 'n2' });
  expect(startedAt).toBe(clock.now());
  expect(await slurm.calls()).toEqual([]);
});

test.each([
  ['idle', false],
  ['mixed', false],
  ['allocated+drain', false],
  ['down', true],
  ['down+not_responding', true],
  ['idle+not_responding', true],
  ['unknown', true],
  ['idle+powered_down', true],
])('its last node is %s: it waits: %s', async (state, wait) => {
  await slurm.setNode('n1', state);
  expect(await waits({ ...none, checkpoints: [foundOf({ node: 'n1' })] })).toBe(wait);
  expect(await waits({ ...none, record: record('n1') })).toBe(wait);
});

test('a single record that may hide that the node is DOWN counts as such', async () => {
  await slurm.setNode('n1', 'mixed', 'Not responding');
  expect(await waits({ ...none, record: record('n1') })).toBe(true);
});

test('it waits where Slurm does not know the node, or does not answer', async () => {
  expect(await waits({ ...none, record: record('n9') })).toBe(true);
  await slurm.setMode('away');
  expect(await waits({ ...none, record: record('n1') })).toBe(true);
  expect(log.lines.at(-1)?.message).toBe(
    'job 7 ran on n1, which does not respond: its old run is given 15 s to end',
  );
});

test('it does not wait for itself, nor for a run that was ended before this one was ordered', async () => {
  await slurm.setNode('n1', 'down');
  await slurm.setNode('n2', 'down');
  expect(await waits({ ...none, record: record('n2') })).toBe(false);
  const checkpoints = [foundOf({ node: 'n1' })];
  expect(await waits({ checkpoints, order: orderOf(), record: record('n1') })).toBe(false);
  // The node that ordered it has ended nothing: the job was lost, or waited.
  expect(await waits({ checkpoints, order: orderOf({ ended: undefined }), record: null })).toBe(true);
  // Ordered by another node, which knows nothing of what runs there; or an order for another run.
  expect(await waits({ checkpoints, order: orderOf({ fromNode: 'n3' }), record: null })).toBe(true);
  expect(await waits({ checkpoints, order: orderOf({ restarts: 2 }), record: null })).toBe(true);
});

test('of two nodes that it may be on, one that does not respond is enough', async () => {
  await slurm.setNode('n3', 'down');
  expect(await waits({ ...none, checkpoints: [foundOf({ node: 'n1' })], record: record('n3') })).toBe(true);
});

test('the nodes that it may wait for are recorded with it, for an engine that begins it once more', async () => {
  await slurm.setNode('n1', 'down');
  const checkpoints = [foundOf({ node: 'n3' })];
  expect(await waits({ ...none, checkpoints, record: record('n1') })).toBe(true);
  expect(store.run).toMatchObject({ node: 'n2', restarts: 1, before: ['n3', 'n1'] });
  expect(await waits({ ...none, checkpoints, record: store.run })).toBe(true);
  expect(store.run?.before).toEqual(['n3', 'n1']);
  // They were an earlier run's to wait for.
  expect(await waits({ ...none, record: { ...store.run!, restarts: 0 } })).toBe(false);
  expect(store.run?.before).toBeUndefined();
});

test('of more nodes than a record may name the newest are recorded, and all are waited for', async () => {
  await slurm.setNode('n9', 'down');
  const before = { ...record('n4'), restarts: 1, before: ['n5', 'n6', 'n9'] };
  expect(await waits({ ...none, checkpoints: [foundOf({ node: 'n3' })], record: before })).toBe(true);
  expect(store.run?.before).toEqual(['n3', 'n4', 'n5']);
});

test('a run that cannot be recorded is an error, and begins', async () => {
  store.writeRun = async () => {
    throw new StoreError('the file system is full');
  };
  await announce(parts(), facts, none);
  expect(log.lines).toMatchObject([
    { level: 'error', message: 'job 7: its new run is not recorded: the file system is full' },
  ]);
});

test('a stop of the engine ends the wait', async () => {
  await slurm.setNode('n1', 'down');
  const done = announce(parts(), facts, { ...none, record: record('n1') });
  await clock.whenSleeping();
  stop.abort(new Error('stopped'));
  await expect(done).rejects.toThrow('stopped');
});

test('a record that cannot be read is said, and is none', async () => {
  store.readRun = async () => {
    throw new StoreError('it is damaged');
  };
  expect(await readRecord(parts(), 7)).toBeNull();
  expect(log.lines).toMatchObject([{ level: 'warn' }]);
});
