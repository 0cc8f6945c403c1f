import { expect, test } from 'vitest';
import { createOutbox } from '../../daemon/perform/outbox.ts';
import type { Effect } from '../../daemon/vocabulary/effect.ts';
import type { Outcome } from '../../daemon/vocabulary/outcome.ts';
import { RESTORE, scripted } from './ports.ts';

const GUARD: Effect = {
  kind: 'guard',
  id: 'guard:7.0:9000',
  jobId: 7,
  restarts: 0,
  requeue: false,
  expiresAt: 99_000,
};
const RELEASE: Effect = { ...GUARD, id: 'release:7.0:9000', requeue: true };

function outbox(script: Parameters<typeof scripted>[0]) {
  const { ports, events, calls } = scripted(script);
  const end = new AbortController();
  const sent: string[] = [];
  const box = createOutbox({ ...ports, signal: end.signal, markSent: (id) => sent.push(id) });
  return { box, end, sent, events, calls };
}

test('each effect settles exactly once, however often it is handed in', async () => {
  const { box, events } = outbox({ setRequeue: async () => ({ type: 'done' }) });
  box.take(GUARD, null);
  box.take(GUARD, null);
  await box.drained();
  expect(events).toEqual([{ type: 'settled', at: 10_000, effect: GUARD, outcome: { type: 'done' } }]);
});

test("effects on one job's run keep their order", async () => {
  const order: string[] = [];
  const first = Promise.withResolvers<Outcome>();
  const { box } = outbox({
    async setRequeue(_, __, requeue) {
      order.push(`requeue=${requeue}`);
      return requeue ? { type: 'done' } : first.promise;
    },
  });
  box.take(GUARD, null);
  box.take(RELEASE, null);
  await Promise.resolve();
  first.resolve({ type: 'done' });
  await box.drained();
  expect(order).toEqual(['requeue=false', 'requeue=true']);
});

test('a performer that throws settles its effect as unavailable', async () => {
  const { box, events } = outbox({
    setRequeue: () => Promise.reject(new Error('a defect')),
  });
  box.take(GUARD, null);
  await box.drained();
  expect(events).toMatchObject([{ type: 'settled', outcome: { type: 'unavailable', message: 'a defect' } }]);
});

test('what ends with the process stays unsettled', async () => {
  const { box, end, events } = outbox({
    restore: [
      () =>
        new Promise((_, reject) => {
          end.signal.addEventListener('abort', () => reject(end.signal.reason));
        }),
    ],
  });
  box.take(RESTORE, null);
  await expect.poll(() => events.length).toBe(1); // the look at the run
  end.abort();
  await box.drained();
  expect(events.map(({ type }) => type)).toEqual(['job']);
});

test('a recall reaches the effect that is performed', async () => {
  const { box, events, sent } = outbox({});
  box.take(RESTORE, null);
  box.recall(RESTORE.id);
  await box.drained();
  expect(events).toMatchObject([{ type: 'settled', outcome: { type: 'recalled' } }]);
  expect(sent).toEqual([]);
});

/** Slurm that answers nobody until the command is taken back. */
const silent = (_: number, __: number, ___: boolean, signal: AbortSignal): Promise<Outcome> =>
  new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve({ type: 'unavailable', message: 'aborted' }));
  });

test('giving Requeue back keeps no later guard waiting, nor the restore of a new job', async () => {
  const { box, events, calls } = outbox({ setRequeue: silent });
  box.take(RELEASE, null);
  box.take({ ...GUARD, id: 'guard:7.0:9500' }, null);
  await expect.poll(() => events).toMatchObject([{ effect: RELEASE, outcome: { type: 'recalled' } }]);
  box.recall('guard:7.0:9500');
  box.take({ ...RELEASE, id: 'release:7.0:9500' }, null);
  box.take({ ...RELEASE, id: 'release:8.0:9500', jobId: 8 }, null);
  box.take(RESTORE, null);
  await expect.poll(() => calls).toContain('restore saved cluster nodeUnschedulable');
  expect(box.underWay()).toEqual(['release:8.0:9500']);
});

test('a requeue of the same job waits for its Requeue', async () => {
  const first = Promise.withResolvers<Outcome>();
  const { box, calls } = outbox({ setRequeue: () => first.promise });
  box.take(RELEASE, null);
  box.take({ ...RESTORE, newJob: false }, null);
  await Promise.resolve();
  expect(calls).toEqual([]);
  first.resolve({ type: 'done' });
  await box.drained();
  expect(calls).toContain('restore saved cluster nodeUnschedulable');
});

test('a recall ends what waits for its turn, and the order of the others stays', async () => {
  const order: string[] = [];
  const first = Promise.withResolvers<Outcome>();
  const { box, events } = outbox({
    async setRequeue(_, __, requeue) {
      order.push(`requeue=${requeue}`);
      return requeue ? { type: 'done' } : first.promise;
    },
  });
  box.take(GUARD, null);
  box.take(RESTORE, null);
  box.take(RELEASE, null);
  box.recall(RESTORE.id);
  await expect.poll(() => events).toMatchObject([{ effect: RESTORE, outcome: { type: 'recalled' } }]);
  expect(order).toEqual(['requeue=false']);
  first.resolve({ type: 'done' });
  await box.drained();
  expect(order).toEqual(['requeue=false', 'requeue=true']);
});

test('a recall of what may have been sent waits for its turn, and is looked into', async () => {
  const first = Promise.withResolvers<Outcome>();
  const happened = { type: 'happened', message: 'requeued' } as const;
  const { box, events, calls } = outbox({ setRequeue: () => first.promise, look: [happened] });
  box.take(GUARD, null);
  box.take(RESTORE, 9_500);
  box.recall(RESTORE.id);
  await new Promise(setImmediate);
  expect(calls).toEqual([]);
  first.resolve({ type: 'done' });
  await box.drained();
  expect(events.at(-1)).toMatchObject({ effect: RESTORE, outcome: { type: 'restored' } });
});
