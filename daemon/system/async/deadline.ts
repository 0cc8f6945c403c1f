import { setTimeout as sleep } from 'node:timers/promises';
import type { Millis } from '../../vocabulary/job.ts';
import type { Clock } from '../ports.ts';

/** The reason of a signal whose deadline passed. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError';
}

type Timer = Pick<Clock, 'sleep'>;

const REAL_TIME: Timer = { sleep: (ms, signal) => sleep(ms, undefined, { signal }) };

/**
 * Calls `work` with a signal that aborts with the caller's, or with a DeadlineError after `ms`; null sets no limit.
 * Waits for the work to end, so this is for work that obeys its signal. The timer is real time unless a clock is given.
 *
 * Not `AbortSignal.timeout`: its timer cannot be stopped, and does not keep the process alive.
 */
export async function withDeadline<T>(
  ms: Millis | null,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
  timer: Timer = REAL_TIME,
): Promise<T> {
  if (ms === null) return work(signal);
  const limit = startLimit(ms, new DeadlineError(`not done within ${ms} ms`), timer);
  try {
    return await work(AbortSignal.any([signal, limit.signal]));
  } finally {
    limit.stop();
  }
}

/**
 * The same for work that may hang in the kernel, which gives no error: rejects with `late` at the deadline, whatever
 * the work does. Its signal aborts with that error too, so that it goes no further if it wakes up.
 */
export async function withHardDeadline<T>(
  ms: Millis,
  late: string,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { promise: over, reject } = Promise.withResolvers<never>();
  const limit = startLimit(ms, new Error(late), REAL_TIME);
  limit.signal.addEventListener('abort', () => reject(limit.signal.reason), { once: true });
  try {
    return await Promise.race([work(AbortSignal.any([signal, limit.signal])), over]);
  } finally {
    limit.stop();
  }
}

function startLimit(ms: Millis, reason: Error, timer: Timer): { signal: AbortSignal; stop(): void } {
  const over = new AbortController();
  const stopped = new AbortController();
  timer.sleep(ms, stopped.signal).then(
    () => over.abort(reason),
    () => undefined,
  );
  return { signal: over.signal, stop: () => stopped.abort() };
}
