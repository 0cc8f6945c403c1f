import type { Clock } from '../system/ports.ts';
import type { Millis } from '../vocabulary/job.ts';

/** Full jitter: anywhere up to a bound that doubles with each attempt, never below a tenth of it. */
export function backoff(
  attempt: number,
  random: () => number,
  first: Millis = 1_000,
  cap: Millis = 60_000,
): Millis {
  const bound = Math.min(cap, first * 2 ** Math.min(attempt, 20));
  return Math.round(bound * (0.1 + 0.9 * random()));
}

/** Waits, or until the effect is recalled; rejects when the process ends. */
export async function waitUnlessRecalled(
  clock: Clock,
  ms: Millis,
  recall: AbortSignal,
  signal: AbortSignal,
): Promise<void> {
  try {
    await clock.sleep(ms, AbortSignal.any([recall, signal]));
  } catch (error) {
    if (signal.aborted || !recall.aborted) throw error;
  }
}
