import { backoff } from '../system/async/backoff.ts';
import type { Clock } from '../system/ports.ts';
import type { EpochMs, Millis } from '../vocabulary/job.ts';
import type { Unavailable } from './commands.ts';
import type { QueryJob } from './query-job.ts';

/** slurmctld hangs if it has left every query without an answer for this long. */
const SILENT: Millis = 2_000;
/** Between two probes of an open breaker. */
const LONGEST_PAUSE: Millis = 30_000;

/** An open breaker: nothing but one probe at a time goes through. */
interface Open {
  /** What everybody is told. */
  readonly problem: Unavailable;
  readonly failures: number;
  readonly probeAt: EpochMs;
  probing: boolean;
}

/**
 * A circuit breaker around the queries for single jobs, so that nobody waits in line for a slurmctld that hangs.
 *
 * It opens when nothing was answered for `SILENT` and a query ran out of time (the command's own, or its signal). Then
 * all queries under way, and every later one, get `unavailable` at once. One probe at a time goes through, with
 * growing pauses, and the first answer closes it. A slurmctld that is slow but answers is asked as before: a query
 * without a signal has the whole time of a command. `place` in `[0, 1)` is the node's own (`system/node-phase.ts`).
 */
export function circuitBreaker(query: QueryJob, clock: Clock, place: number): QueryJob {
  let underWay = new Set<AbortController>();
  /** Since when queries have been under way without any answer. */
  let silentSince: EpochMs = 0;
  let open: Open | null = null;

  function trip(message: string): Unavailable {
    const failures: number = (open?.failures ?? 0) + 1;
    const problem: Unavailable = { type: 'unavailable', message, garbage: false };
    const probeAt = clock.now() + backoff(failures - 1, place, 1_000, LONGEST_PAUSE);
    open = { problem, failures, probeAt, probing: false };
    const others = underWay;
    underWay = new Set();
    for (const other of others) other.abort();
    return problem;
  }

  return async (jobId, signal) => {
    if (open !== null) {
      if (open.probing || clock.now() < open.probeAt) return open.problem;
      open.probing = true;
    }
    const own = new AbortController();
    if (underWay.size === 0) silentSince = clock.now();
    underWay.add(own);
    const answer = await query(jobId, signal ? AbortSignal.any([signal, own.signal]) : own.signal);
    const tripped = !underWay.delete(own);
    if (answer.type !== 'unavailable' || answer.garbage) {
      silentSince = clock.now();
      open = null;
      return answer;
    }
    if (tripped) return open?.problem ?? answer;
    if (clock.now() - silentSince >= SILENT) return trip(`slurmctld does not answer: ${answer.message}`);
    // It failed at once, so nobody waits for it. A query that its caller aborted says nothing about slurmctld.
    if (!signal?.aborted) open = null;
    else if (open !== null) open.probing = false;
    return answer;
  };
}
