import type { SpoolJob } from '../../slurm/spool.ts';
import type { JobBrief } from '../../slurm/squeue-all.ts';
import type { JobId } from '../../vocabulary/job.ts';

/** A job as the daemon knows it. */
export interface KnownJob {
  readonly jobId: JobId;
  readonly restarts: number;
  /** Null while Slurm has not been asked. */
  readonly state: string | null;
}

export type Sockets = ReadonlyMap<JobId, SpoolJob>;

/** Jobs whose sockets appeared, vanished or were replaced between two scans. */
export function changedSockets(before: Sockets, now: Sockets): JobId[] {
  const came = [...now.values()].filter((job) => before.get(job.jobId)?.incarnation !== job.incarnation);
  const went = [...before.keys()].filter((jobId) => !now.has(jobId));
  return [...came.map((job) => job.jobId), ...went];
}

/**
 * Jobs that the daemon knows differently from `listed`, Slurm's list of all jobs with a part on `node`. A known job
 * that Slurm does not list has ended, is pending, or runs elsewhere.
 */
export function misjudged(known: Iterable<KnownJob>, listed: readonly JobBrief[], node: string): JobId[] {
  const beliefs = new Map([...known].map((job) => [job.jobId, job]));
  const wrong = listed.filter((job) => {
    const belief = beliefs.get(job.jobId);
    if (belief) return belief.state !== job.state || belief.restarts !== job.restarts;
    const isComponent = job.hetJobId !== null && job.hetJobId !== job.jobId;
    return job.batchHost === node && !isComponent;
  });
  const ids = new Set(listed.map((job) => job.jobId));
  return [...wrong.map((job) => job.jobId), ...[...beliefs.keys()].filter((jobId) => !ids.has(jobId))];
}
