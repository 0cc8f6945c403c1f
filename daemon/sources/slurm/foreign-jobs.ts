import type { SpoolJob } from '../../slurm/spool.ts';
import type { JobId } from '../../vocabulary/job.ts';

/**
 * Jobs that have a part on this node and belong to the daemon of another, where their batch script runs. Whatever
 * happens to their sockets here is no reason to ask slurmctld: each node of a job of a thousand would, in the same
 * moment. Only a batch script that runs here says that such a job is this node's by now.
 */
export class ForeignJobs {
  readonly #jobs = new Set<JobId>();
  readonly #leaders = new Map<JobId, JobId>();

  /** By Slurm's word. */
  add(jobId: JobId): void {
    this.#jobs.add(jobId);
  }

  /** It is this node's, or nobody's. */
  delete(jobId: JobId): void {
    this.#jobs.delete(jobId);
  }

  /** A component of a heterogeneous job is where its leader is. */
  addComponent(jobId: JobId, leader: JobId): void {
    this.#leaders.set(jobId, leader);
  }

  /** Whether nothing that the sockets show needs a look. */
  covers(jobId: JobId, now: SpoolJob | undefined): boolean {
    return this.#jobs.has(this.#leaders.get(jobId) ?? jobId) && now?.batch !== true;
  }

  /** Forgets the jobs that have no socket here any more. */
  keep(now: ReadonlyMap<JobId, SpoolJob>): void {
    for (const jobId of this.#leaders.keys()) if (!now.has(jobId)) this.#leaders.delete(jobId);
    const leaders = new Set(this.#leaders.values());
    for (const jobId of this.#jobs) if (!now.has(jobId) && !leaders.has(jobId)) this.#jobs.delete(jobId);
  }
}
