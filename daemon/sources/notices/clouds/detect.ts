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
  const limit = new AbortController();
  // Real time, not the clock's: it bounds a request, as the client's own time limit does.
  const timer = setTimeout(() => limit.abort(), withinMs);
  const either = AbortSignal.any([signal, limit.signal]);
  let last: Absent | null = null;
  try {
    for (;;) {
      last = await provider.detect(either);
      if (last === null || !last.passing) return last?.why ?? null;
      await clock.sleep(PAUSE, either);
    }
  } catch (error) {
    if (!either.aborted) throw error;
    return last?.why ?? `no answer within ${withinMs} ms`;
  } finally {
    clearTimeout(timer);
  }
}
