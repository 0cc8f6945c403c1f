import { expect, test } from 'vitest';
import { performRestore } from '../../daemon/perform/restore.ts';
import { performance, RESTORE, running, scripted } from './ports.ts';

const ASK = 'restore saved cluster nodeUnschedulable';
const AMBIGUOUS = { type: 'ambiguous', message: 'no answer within 10 s' } as const;
const RETRY = { type: 'retry', afterMs: null, message: 'connection refused' } as const;
const ACCEPTED = { type: 'accepted', actionId: 'new' } as const;

test('a restore is asked for once, after a look at the run, and marked as sent before', async () => {
  const { ports, calls } = scripted({});
  const { p, marks } = performance(RESTORE);
  expect(await performRestore(ports, p)).toEqual({ type: 'restored', actionId: 'new' });
  expect(calls).toEqual(['query-job', ASK]);
  expect(marks).toEqual([RESTORE.id]);
});

test.each([
  ['is suspended', running({ state: 'SUSPENDED' }), 'SUSPENDED'],
  ['completes', running({ state: 'COMPLETING' }), 'COMPLETING'],
  ['was requeued', running({ restarts: 1, state: 'PENDING' }), 'PENDING'],
  ['is gone', { type: 'absent' as const }, 'ABSENT'],
])('a run that %s is left alone, and the daemon learns of it', async (_, look, state) => {
  const { ports, calls, events } = scripted({ queryJob: [look] });
  expect(await performRestore(ports, performance(RESTORE).p)).toMatchObject({ type: 'stale', state });
  expect(calls).toEqual(['query-job']);
  expect(events).toHaveLength(1);
});

test('a run that Slurm gave up because its node failed is restored', async () => {
  const { ports } = scripted({ queryJob: [running({ state: 'NODE_FAIL' })] });
  expect(await performRestore(ports, performance(RESTORE).p)).toMatchObject({ type: 'restored' });
});

test('what was certainly not acted on is asked for again, later and later, until it is answered', async () => {
  const { ports, calls, slept } = scripted({ restore: [RETRY, RETRY, RETRY, ACCEPTED] });
  expect(await performRestore(ports, performance(RESTORE).p)).toMatchObject({ type: 'restored' });
  expect(calls.filter((call) => call === ASK)).toHaveLength(4);
  expect(slept).toEqual([750, 1500, 3000]);
});

test('an API that is away for an hour gets the restore when it is back', async () => {
  const { ports, slept } = scripted({ restore: [...Array(80).fill(RETRY), ACCEPTED] });
  expect(await performRestore(ports, performance(RESTORE).p)).toMatchObject({ type: 'restored' });
  expect(slept.reduce((sum, ms) => sum + ms, 0)).toBeGreaterThan(40 * 60_000);
  expect(Math.max(...slept)).toBeLessThanOrEqual(60_000);
});

test('the time that the server asks for is waited', async () => {
  const { ports, slept } = scripted({ restore: [{ ...RETRY, afterMs: 7_000 }, ACCEPTED] });
  await performRestore(ports, performance(RESTORE).p);
  expect(slept).toEqual([7_000]);
});

test('after an answer that never came, a restore that Slurm shows is not asked for again', async () => {
  const happened = { type: 'happened', message: 'job 8 is the same job, newer' } as const;
  const { ports, calls } = scripted({ restore: [AMBIGUOUS], look: [happened] });
  expect(await performRestore(ports, performance(RESTORE).p)).toEqual({ type: 'restored', actionId: null });
  expect(calls.filter((call) => call === ASK)).toHaveLength(1);
});

test('a restore that shows only at the second look is not asked for again either', async () => {
  const happened = { type: 'happened', message: 'requeued' } as const;
  const { ports, calls } = scripted({ restore: [AMBIGUOUS], look: [{ type: 'not-yet' }, happened] });
  expect(await performRestore(ports, performance(RESTORE).p)).toMatchObject({ type: 'restored' });
  expect(calls.filter((call) => call === ASK)).toHaveLength(1);
});

test('while slurmctld cannot say whether it happened, it is not asked for again', async () => {
  const unknown = { type: 'unknown', message: 'slurmctld is away' } as const;
  const happened = { type: 'happened', message: 'requeued' } as const;
  const { ports, calls } = scripted({ restore: [AMBIGUOUS], look: [...Array(50).fill(unknown), happened] });
  expect(await performRestore(ports, performance(RESTORE).p)).toMatchObject({ type: 'restored' });
  expect(calls.filter((call) => call === ASK)).toHaveLength(1);
});

test('what did not happen is asked for again after two looks some time apart', async () => {
  const { ports, calls, slept } = scripted({ restore: [AMBIGUOUS, ACCEPTED] });
  expect(await performRestore(ports, performance(RESTORE).p)).toEqual({ type: 'restored', actionId: 'new' });
  expect(calls).toEqual(['query-job', ASK, 'look-for-restored', 'look-for-restored', 'query-job', ASK]);
  expect(slept).toEqual([5_000]);
});

test('what a killed daemon may have sent is looked into first', async () => {
  const { ports, calls } = scripted({ look: [{ type: 'happened', message: 'requeued' }] });
  const { p } = performance(RESTORE, { sentBefore: 9_500 });
  expect(await performRestore(ports, p)).toEqual({ type: 'restored', actionId: null });
  expect(calls).toEqual(['look-for-restored']);
});

test('a run that was cancelled after an unanswered restore, with no new job, is a failure and not an end', async () => {
  const { ports } = scripted({
    restore: [AMBIGUOUS],
    queryJob: [running(), running({ state: 'CANCELLED' })],
  });
  expect(await performRestore(ports, performance(RESTORE).p)).toMatchObject({ type: 'refused' });
});

test('a recall before it was sent takes it back', async () => {
  const { ports, calls } = scripted({});
  const { p, recall } = performance(RESTORE);
  recall.abort();
  expect(await performRestore(ports, p)).toEqual({ type: 'recalled' });
  expect(calls).toEqual([]);
});

test('a recall while Slurm is looked at takes it back at once', async () => {
  const { ports } = scripted({});
  const { p, recall, marks } = performance(RESTORE);
  const slurm: typeof ports.slurm = {
    ...ports.slurm,
    queryJob: (_, signal) =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () =>
          resolve({ type: 'unavailable', message: 'aborted', garbage: false }),
        );
        recall.abort();
      }),
  };
  expect(await performRestore({ ...ports, slurm }, p)).toEqual({ type: 'recalled' });
  expect(marks).toEqual([]);
});

test('a recall between two attempts takes it back', async () => {
  const { p, recall } = performance(RESTORE);
  const { ports, calls } = scripted({
    restore: [
      async () => {
        recall.abort();
        return RETRY;
      },
    ],
  });
  expect(await performRestore(ports, p)).toEqual({ type: 'recalled' });
  expect(calls.filter((call) => call === ASK)).toHaveLength(1);
});

test('a recall cannot take back what happened', async () => {
  const { ports } = scripted({ look: [{ type: 'happened', message: 'requeued' }] });
  const { p, recall } = performance(RESTORE, { sentBefore: 9_500 });
  recall.abort();
  expect(await performRestore(ports, p)).toMatchObject({ type: 'restored' });
});

test('a final no is handed on', async () => {
  const refused = { type: 'refused', status: 400, message: 'no such checkpoint' } as const;
  const { ports } = scripted({ restore: [refused] });
  expect(await performRestore(ports, performance(RESTORE).p)).toEqual(refused);
});
