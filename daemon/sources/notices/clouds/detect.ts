import { withDeadline } from '../../../system/async/deadline.ts';
import type { Clock } from '../../../system/ports.ts';
import type { Millis } from '../../../vocabulary/job.ts';
import type { Absent, Provider } from './provider.ts';

/** Between two attempts at a provider whose failure may pass. */
const PAUSE: Millis = 250;

/**
 * Finds out whether a provider is present: null, or why not. An answer counts within `withinMs`; a failure that may
 * pass (503, a reset connection) is retried in that time.
 */
export async function detect(
  provider: Provider,
  withinMs: Millis,
  clock: Clock,
  signal: AbortSignal,
): Promise<string | null> {
  if (provider.detect === undefined) return null;
  const { detect } = provider;
  // Real time, not the clock's: it bounds a request, as the client's own time limit does.
  return withDeadline(withinMs, signal, async (limited) => {
    let last: Absent | null = null;
    try {
      for (;;) {
        last = await detect(limited);
        if (last === null || !last.passing) return last?.why ?? null;
        await clock.sleep(PAUSE, limited);
      }
    } catch (error) {
      if (!limited.aborted) throw error;
      return last?.why ?? `no answer within ${withinMs} ms`;
    }
  });
}
