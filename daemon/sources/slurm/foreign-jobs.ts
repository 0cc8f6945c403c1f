import type { SpoolJob } from '../../slurm/spool.ts';
import type { JobId } from '../../vocabulary/job.ts';

/**
 * Jobs with a part on this node that belong to another node's daemon, where their batch script runs. A change of their
 * sockets here is no reason to ask slurmctld: a thousand nodes of one job would ask in the same moment. Only a batch
 * script that runs here shows that such a job is this node's by now.
 */
export class ForeignJobs {
  readonly #jobs = new Set<JobId>();
  readonly #leaders = new Map<JobId, JobId>();

  /** Slurm has said that the job is another node's. */
  add(jobId: JobId): void {
    this.#jobs.add(jobId);
  }

  /** The job is this node's, or gone. */
  delete(jobId: JobId): void {
    this.#jobs.delete(jobId);
  }

  /** A component of a heterogeneous job belongs to its leader. */
  addComponent(jobId: JobId, leader: JobId): void {
    this.#leaders.set(jobId, leader);
  }

  /** True if a change of the job's sockets needs no query. */
  covers(jobId: JobId, now: SpoolJob | undefined): boolean {
    return this.#jobs.has(this.#leaders.get(jobId) ?? jobId) && now?.batch !== true;
  }

  /** Forgets jobs without a socket here. */
  keep(now: ReadonlyMap<JobId, SpoolJob>): void {
    for (const jobId of this.#leaders.keys()) if (!now.has(jobId)) this.#leaders.delete(jobId);
    const leaders = new Set(this.#leaders.values());
    for (const jobId of this.#jobs) if (!now.has(jobId) && !leaders.has(jobId)) this.#jobs.delete(jobId);
  }
}
