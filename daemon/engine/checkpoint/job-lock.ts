import type { Clock } from '../../system/ports.ts';
import type { JobId, Millis } from '../../vocabulary/job.ts';
import type { Table } from './table.ts';

/** Takes a job once it is free; null where it is not within that time. */
export async function lockJob(
  clock: Clock,
  table: Table,
  { jobId, what, withinMs }: { readonly jobId: JobId; readonly what: string; readonly withinMs: Millis },
): Promise<(() => void) | null> {
  const until = clock.now() + withinMs;
  for (let other = table.workOn(jobId); other; other = table.workOn(jobId)) {
    if (clock.now() >= until) return null;
    const waiting = new AbortController();
    const late = clock.sleep(until - clock.now(), waiting.signal).catch(() => undefined);
    await Promise.race([other.free, late]);
    waiting.abort();
  }
  return table.take(jobId, what);
}
