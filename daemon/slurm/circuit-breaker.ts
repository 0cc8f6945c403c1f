import { backoff } from '../system/async/backoff.ts';
import type { Clock } from '../system/ports.ts';
import type { EpochMs, Millis } from '../vocabulary/job.ts';
import type { Unavailable } from './commands.ts';
import type { QueryJob } from './query-job.ts';

/** A slurmctld that has left every look without an answer for so long is taken to hang. */
const SILENT: Millis = 2_000;
/** Between two looks that find out whether it answers again. */
const LONGEST_PAUSE: Millis = 30_000;

/**
 * A look that does not wait in line for a slurmctld that hangs. Once nothing was answered for `SILENT` and somebody's
 * patience is over (the command's own time, or the signal), all that wait are told `unavailable`, and so is everybody
 * after them, at once; but one look at a time goes through, ever more seldom, and the first answer ends it. Who is
 * patient gets the whole time of a command: a slurmctld that is slow, but answers, is asked as before. `place`
 * in `[0, 1)` is the node's own (`phase.ts`).
 */
export function circuitBreaker(look: QueryJob, clock: Clock, place: number): QueryJob {
  let underWay = new Set<AbortController>();
  /** Since when there were looks under way, and none was answered. */
  let silentSince: EpochMs = 0;
  let hung: { readonly problem: Unavailable; failures: number; probeAt: EpochMs; probing: boolean } | null =
    null;

  function giveUp(message: string): Unavailable {
    const failures: number = (hung?.failures ?? 0) + 1;
    const problem: Unavailable = { type: 'unavailable', message, garbage: false };
    const probeAt = clock.now() + backoff(failures - 1, place, 1_000, LONGEST_PAUSE);
    hung = { problem, failures, probeAt, probing: false };
    const others = underWay;
    underWay = new Set();
    for (const other of others) other.abort();
    return problem;
  }

  return async (jobId, signal) => {
    if (hung !== null) {
      if (hung.probing || clock.now() < hung.probeAt) return hung.problem;
      hung.probing = true;
    }
    const own = new AbortController();
    if (underWay.size === 0) silentSince = clock.now();
    underWay.add(own);
    const seen = await look(jobId, signal ? AbortSignal.any([signal, own.signal]) : own.signal);
    const givenUp = !underWay.delete(own);
    if (seen.type !== 'unavailable' || seen.garbage) {
      silentSince = clock.now();
      hung = null;
      return seen;
    }
    if (givenUp) return hung?.problem ?? seen;
    if (clock.now() - silentSince >= SILENT) return giveUp(`slurmctld does not answer: ${seen.message}`);
    // It failed at once, which keeps nobody waiting; of one that was taken back nothing is known.
    if (!signal?.aborted) hung = null;
    else if (hung !== null) hung.probing = false;
    return seen;
  };
}
