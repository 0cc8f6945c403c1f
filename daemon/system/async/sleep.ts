import type { Millis } from '../../vocabulary/job.ts';
import type { Clock } from '../ports.ts';

/** Sleeps for `ms`, or until `wake` aborts; returns at once if it has. Rejects with the signal's reason. */
export async function sleepUnlessWoken(
  clock: Pick<Clock, 'sleep'>,
  ms: Millis,
  wake: AbortSignal,
  signal: AbortSignal,
): Promise<void> {
  if (wake.aborted) return signal.throwIfAborted();
  try {
    await clock.sleep(Math.max(0, ms), AbortSignal.any([signal, wake]));
  } catch (error) {
    signal.throwIfAborted();
    if (!wake.aborted) throw error;
  }
}
