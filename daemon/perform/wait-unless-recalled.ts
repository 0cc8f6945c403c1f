import type { Clock } from '../system/ports.ts';
import type { Millis } from '../vocabulary/job.ts';

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
