import type { Clock } from '../../system/ports.ts';
import type { Millis } from '../../vocabulary/job.ts';

/** Runs `ask` with a signal that is also aborted after `ms`; null for no limit. */
export async function within<T>(
  clock: Clock,
  ms: Millis | null,
  signal: AbortSignal,
  ask: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (ms === null) return ask(signal);
  const limit = new AbortController();
  const answered = new AbortController();
  clock.sleep(ms, AbortSignal.any([signal, answered.signal])).then(
    () => limit.abort(),
    // Answered, or the process ends: nobody waits for the limit any more.
    () => undefined,
  );
  try {
    return await ask(AbortSignal.any([signal, limit.signal]));
  } finally {
    answered.abort();
  }
}
