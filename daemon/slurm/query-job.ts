import type { Exec } from '../system/ports.ts';
import type { JobFacts, JobId } from '../vocabulary/job.ts';
import { isJobId, type SlurmCommands } from './commands.ts';
import { type JobAnswer, jobCommand, readJob } from './squeue.ts';

/** Asks Slurm for one job, now. Queries run one after the other; no answer is cached. */
export type QueryJob = (jobId: JobId, signal?: AbortSignal) => Promise<JobAnswer>;

export function jobQuery(exec: Exec, slurm: SlurmCommands): QueryJob {
  return async (jobId, signal) => {
    if (!isJobId(jobId)) return { type: 'absent' };
    return readJob(await exec.run(jobCommand(slurm, jobId), signal), slurm.mark, jobId);
  };
}

/** The engine's form of an answer, without the target: facts, a definite absence, or why it is unknown. */
export type Lookup = (
  jobId: JobId,
  signal?: AbortSignal,
) => Promise<JobFacts | 'absent' | { unavailable: string }>;

export function jobLookup(look: QueryJob): Lookup {
  return async (jobId, signal) => {
    const seen = await look(jobId, signal);
    if (seen.type === 'job') return seen.facts;
    return seen.type === 'absent' ? 'absent' : { unavailable: seen.message };
  };
}
