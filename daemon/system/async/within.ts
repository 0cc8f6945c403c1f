import type { Millis } from '../../vocabulary/job.ts';

/**
 * Waits for work no longer than it may take, of real time: what hangs in the kernel gives no error. Rejects with
 * `late` then, which is also what the work's own signal aborts with, so that it goes no further once it answers again.
 */
export async function within<T>(
  limit: Millis,
  late: string,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const stop = new AbortController();
  const { promise: over, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const error = new Error(late);
    stop.abort(error);
    reject(error);
  }, limit);
  try {
    const done = work(AbortSignal.any([signal, stop.signal]));
    return await Promise.race([done, over]);
  } finally {
    clearTimeout(timer);
  }
}
