import { expect, test } from 'vitest';
import { perform } from '../../daemon/perform/perform.ts';
import type { Effect } from '../../daemon/vocabulary/effect.ts';
import type { Outcome } from '../../daemon/vocabulary/outcome.ts';
import { performance, RESTORE, running, scripted } from './ports.ts';

const HEARTBEAT: Extract<Effect, { kind: 'checkpoint' }> = {
  kind: 'checkpoint',
  id: 'checkpoint:7.0:9000',
  jobId: 7,
  restarts: 0,
  jobName: 'count',
  checkpointKind: 'rootfs',
  reason: 'heartbeat',
  expiresAt: 70_000,
};
const GUARD: Extract<Effect, { kind: 'guard' }> = {
  kind: 'guard',
  id: 'guard:7.0:9000',
  jobId: 7,
  restarts: 0,
  requeue: false,
  expiresAt: 40_000,
};
const ACCEPTED: Outcome = { type: 'accepted', actionId: 'id' };
const AWAY: Outcome = { type: 'unavailable', message: 'slurmctld is away' };

test('a checkpoint is asked for as its effect says, after a look at the run', async () => {
  const asked: object[] = [];
  const checkpoint = async (ask: object) => {
    asked.push(ask);
    return ACCEPTED;
  };
  const { ports, events } = scripted({ checkpoint });
  const { p, marks } = performance(HEARTBEAT);
  expect(await perform(ports, p)).toEqual(ACCEPTED);
  expect(asked).toEqual([
    { jobId: 7, jobName: 'count', kind: 'rootfs', reason: 'heartbeat', expiresAt: 70_000 },
  ]);
  expect(marks).toEqual([HEARTBEAT.id]);
  expect(events).toMatchObject([{ type: 'job', facts: { state: 'RUNNING' } }]);
});

test('heartbeats of known jobs go on while slurmctld is away', async () => {
  const { ports } = scripted({
    queryJob: [{ type: 'unavailable', message: 'timeout', garbage: false }],
    checkpoint: async () => ACCEPTED,
  });
  expect(await perform(ports, performance(HEARTBEAT).p)).toEqual(ACCEPTED);
});

test.each(['SUSPENDED', 'COMPLETING', 'COMPLETED', 'CONFIGURING'])(
  'no checkpoint of a %s job',
  async (state) => {
    const { ports } = scripted({ queryJob: [running({ state })] });
    expect(await perform(ports, performance(HEARTBEAT).p)).toMatchObject({ type: 'stale', state });
  },
);

test('a heartbeat whose answer died with the daemon is dropped, a final checkpoint is asked for again', async () => {
  const { ports } = scripted({ checkpoint: async () => ACCEPTED });
  const again = { sentBefore: 9_000 };
  expect(await perform(ports, performance(HEARTBEAT, again).p)).toMatchObject({ type: 'unavailable' });
  const final = { ...HEARTBEAT, reason: 'manual' as const };
  expect(await perform(ports, performance(final, again).p)).toEqual(ACCEPTED);
});

test('a checkpoint whose time is over is not sent', async () => {
  const { ports, calls } = scripted({});
  const late = { ...HEARTBEAT, expiresAt: 10_000 };
  expect(await perform(ports, performance(late).p)).toMatchObject({ type: 'unavailable' });
  expect(calls).toEqual([]);
});

test('a guard is tried until slurmctld takes it', async () => {
  const outcomes: Outcome[] = [AWAY, AWAY, { type: 'done' }];
  const { ports, slept } = scripted({ setRequeue: async () => outcomes.shift() ?? AWAY });
  expect(await perform(ports, performance(GUARD).p)).toEqual({ type: 'done' });
  expect(slept).toHaveLength(2);
});

test('a guard gives up when its time is over', async () => {
  const { ports, slept } = scripted({ setRequeue: async () => AWAY });
  expect(await perform(ports, performance(GUARD).p)).toEqual(AWAY);
  expect(slept.reduce((sum, ms) => sum + ms, 0)).toBeLessThan(30_000);
});

test('a recalled guard is not set', async () => {
  const { ports } = scripted({});
  const { p, recall } = performance(GUARD);
  recall.abort();
  expect(await perform(ports, p)).toEqual({ type: 'recalled' });
});

test('a recall ends the very command that sets the guard, wherever it hangs', async () => {
  const { p, recall } = performance(GUARD);
  const { ports } = scripted({
    setRequeue: (_, __, ___, signal) =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => resolve(AWAY));
        recall.abort();
      }),
  });
  expect(await perform(ports, p)).toEqual({ type: 'recalled' });
});

test('a guard, and each look before a restore with a deadline, says how long it may wait', async () => {
  const waits: (number | null)[] = [];
  const { ports } = scripted({
    async setRequeue(_, __, ___, ____, withinMs) {
      waits.push(withinMs);
      return { type: 'done' };
    },
  });
  await perform(ports, performance(GUARD).p);
  const release = { ...GUARD, requeue: true, expiresAt: Number.MAX_SAFE_INTEGER };
  await perform(ports, performance(release).p);
  await perform(ports, performance({ ...GUARD, expiresAt: 9_000 }).p);
  expect(waits).toEqual([30_000, null, 1_000]);
  const looks: (number | null)[] = [];
  const { queryJob } = ports.slurm;
  const slurm: typeof ports.slurm = {
    ...ports.slurm,
    queryJob(jobId, signal, withinMs) {
      looks.push(withinMs);
      return queryJob(jobId, signal, withinMs);
    },
  };
  await perform({ ...ports, slurm }, performance({ ...RESTORE, reason: 'nodeTermination' }).p);
  await perform({ ...ports, slurm }, performance(RESTORE).p);
  expect(looks).toEqual([2_000, null]);
});

test('the end of the old run is asked for until slurmctld took it', async () => {
  const outcomes: Outcome[] = [...Array<Outcome>(200).fill(AWAY), { type: 'done' }];
  const { ports } = scripted({ endRun: async () => outcomes.shift() ?? AWAY });
  const effect: Effect = { kind: 'end-source', id: 'end-source:7.0:9000', jobId: 7, restarts: 0 };
  expect(await perform(ports, performance(effect).p)).toEqual({ type: 'done' });
});
