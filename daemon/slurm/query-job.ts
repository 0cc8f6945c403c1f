import type { Exec } from '../system/ports.ts';
import type { JobFacts, JobId } from '../vocabulary/job.ts';
import { isJobId, type SlurmCommands } from './commands.ts';
import { type JobLook, jobCommand, readJob } from './squeue.ts';

/** Asks Slurm for one job, now. Looks wait for one another; no answer is kept. */
export type Look = (jobId: JobId, signal?: AbortSignal) => Promise<JobLook>;

export function jobLooker(exec: Exec, slurm: SlurmCommands): Look {
  return async (jobId, signal) => {
    if (!isJobId(jobId)) return { type: 'absent' };
    return readJob(await exec.run(jobCommand(slurm, jobId), signal), slurm.mark, jobId);
  };
}

/** The same for whoever acts on no job: facts, a definite absence, or why nobody knows. */
export type Lookup = (
  jobId: JobId,
  signal?: AbortSignal,
) => Promise<JobFacts | 'absent' | { unavailable: string }>;

export function jobLookup(look: Look): Lookup {
  return async (jobId, signal) => {
    const seen = await look(jobId, signal);
    if (seen.type === 'job') return seen.facts;
    return seen.type === 'absent' ? 'absent' : { unavailable: seen.message };
  };
}
