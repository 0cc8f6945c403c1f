import type { QueryJob } from '../../slurm/query-job.ts';
import type { JobFacts, JobId } from '../../vocabulary/job.ts';
import type { Outcome } from '../../vocabulary/outcome.ts';

/** One run of a job. */
export interface Run {
  readonly jobId: JobId;
  readonly restarts: number;
}

/** The run with its name for scancel and scontrol, or why there is nothing to act on. */
export type ThisRun =
  | { readonly type: 'this'; readonly facts: JobFacts; readonly target: string }
  | { readonly type: 'absent' }
  | Extract<Outcome, { type: 'stale' | 'unavailable' }>;

/** Checks that Slurm has `run` under this job id now. Job ids are reused, so the restart count decides. */
export async function lookForRun(look: QueryJob, run: Run, signal?: AbortSignal): Promise<ThisRun> {
  const seen = await look(run.jobId, signal);
  if (seen.type === 'unavailable') return { type: 'unavailable', message: seen.message };
  if (seen.type === 'absent') return seen;
  const { facts, target } = seen;
  if (facts.restarts !== run.restarts) {
    const message = `job ${run.jobId} has been restarted: run ${run.restarts} is over, run ${facts.restarts} is ${facts.state}`;
    return { type: 'stale', state: facts.state, message };
  }
  if (target === null)
    return { type: 'stale', state: facts.state, message: `job ${run.jobId} is an array that waits` };
  return { type: 'this', facts, target };
}
