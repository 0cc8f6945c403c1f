import type { JobId, Millis } from '../../vocabulary/job.ts';
import { StoreError } from '../store-error.ts';
import type { Parts } from './run/parts.ts';

/** Together with a last look, which may take ten minutes, below what the plugin waits (`wait`, 900 s by default). */
export const MOST_HANGING_MS: Millis = 4 * 60_000;
const PAUSE_MS: Millis = 2_000;

/**
 * Looks into the store, and again while its file system hangs: one slow operation makes all others reject at once
 * (`store/in-time.ts`), and a job's work is worth some minutes. Only for where nothing stands frozen meanwhile. Rejects
 * as the look does, or with the signal's reason.
 */
export async function onceStoreIsBack<T>(
  { clock, log, signal }: Pick<Parts, 'clock' | 'log' | 'signal'>,
  jobId: JobId,
  look: () => Promise<T>,
): Promise<T> {
  const until = clock.now() + MOST_HANGING_MS;
  for (let isFirst = true; ; isFirst = false) {
    try {
      return await look();
    } catch (error) {
      if (!(error instanceof StoreError && error.isLate) || clock.now() >= until) throw error;
      if (isFirst)
        log.warn({ job_id: jobId, err: error }, `job ${jobId} waits for the store: ${error.message}`);
    }
    await clock.sleep(PAUSE_MS, signal);
  }
}
