import { withDeadline } from '../../../system/async/deadline.ts';
import type { Clock } from '../../../system/ports.ts';
import type { Millis } from '../../../vocabulary/job.ts';
import type { Absent, Provider } from './provider.ts';

/** Between two tries at somebody who answers, but badly. */
const PAUSE: Millis = 250;

/**
 * Whether a provider is here: null, or why not. An answer counts that comes within `withinMs`; who fails in a way
 * that may pass (503, a reset connection) is asked again in that time.
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
