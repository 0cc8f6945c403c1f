import type { EpochMs, Millis } from '../../vocabulary/job.ts';
import type { Clock } from '../ports.ts';
import { sleepUnlessWoken } from './sleep.ts';

/** What one attempt came to: a result, or that another attempt should follow after this pause. */
export type Attempted<T> = { readonly done: T } | { readonly againAfter: Millis };

/** The same where the time is bounded: `last` is the result if there is no time for another attempt. */
export type BoundedAttempt<T> = { readonly done: T } | { readonly againAfter: Millis; readonly last: T };

export interface RetryOptions {
  readonly clock: Clock;
  /** Ends a pause with its reason. */
  readonly signal: AbortSignal;
  /** Ends a pause early: the next attempt is made at once. */
  readonly wake?: AbortSignal;
}

/** Makes attempts until one is done. Each gets the number of those before it, for its pause (`backoff`). */
export function retry<T>(
  options: RetryOptions,
  attempt: (failures: number) => Promise<Attempted<T>>,
): Promise<T> {
  return loop({ ...options, until: null }, attempt);
}

/** The same, but gives up when a pause would end at `until` or later; null: never. */
export function retryUntil<T>(
  options: RetryOptions & { readonly until: EpochMs | null },
  attempt: (failures: number) => Promise<BoundedAttempt<T>>,
): Promise<T> {
  return loop(options, attempt);
}

async function loop<T>(
  { clock, signal, wake, until }: RetryOptions & { readonly until: EpochMs | null },
  attempt: (failures: number) => Promise<{ done: T } | { againAfter: Millis; last?: T }>,
): Promise<T> {
  for (let failures = 0; ; failures++) {
    const result = await attempt(failures);
    if ('done' in result) return result.done;
    const { againAfter, last } = result;
    if (until !== null && clock.now() + againAfter >= until) return last as T;
    if (againAfter <= 0) signal.throwIfAborted();
    else if (wake === undefined) await clock.sleep(againAfter, signal);
    else await sleepUnlessWoken(clock, againAfter, wake, signal);
  }
}
