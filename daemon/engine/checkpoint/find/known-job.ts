import { BoundedMap } from '../../../system/bounded-map.ts';
import type { JobId } from '../../../vocabulary/job.ts';
import { isFrozen } from '../../proc/is-frozen.ts';
import {
  type FoundJob,
  findSeen,
  type JobFinder,
  type LookAround,
  lookAround,
  type RunningJob,
} from './find-job.ts';
import type { BatchLook } from './look.ts';

/** What Slurm said of a job when its processes were last found, and which process was their root. */
interface Known {
  readonly seen: Extract<BatchLook, { type: 'job' }>;
  readonly root: Pick<RunningJob['tree']['root'], 'pid' | 'startTime'>;
}

const MOST = 1_000;

/**
 * Finds a job that is to be checkpointed as `findJob` does; while Slurm cannot be asked, by what it said last, if that
 * was of the very run whose processes are here now. Nobody can have suspended or requeued the job through a slurmctld
 * that is away; what happened to it between the last word and that shows in its processes. Not for a restore, which
 * Slurm has to take part in.
 */
export class KnownJobs {
  readonly #known = new BoundedMap<JobId, Known | null>(MOST);

  async find(
    finder: JobFinder,
    jobId: JobId,
    states: ReadonlySet<string>,
    signal?: AbortSignal,
  ): Promise<FoundJob & { readonly unasked?: string }> {
    const look = await lookAround(finder, jobId, signal);
    const { seen } = look;
    if (seen.type === 'unavailable') return this.#findKnown(finder, jobId, states, look.steps, seen.message);
    const found = await findSeen(finder, jobId, states, look);
    this.#known.set(jobId, found.ok && seen.type === 'job' ? { seen, root: found.job.tree.root } : null);
    return found;
  }

  async #findKnown(
    finder: JobFinder,
    jobId: JobId,
    states: ReadonlySet<string>,
    steps: LookAround['steps'],
    problem: string,
  ): Promise<FoundJob & { readonly unasked?: string }> {
    const message = `Slurm cannot be asked about job ${jobId}: ${problem}`;
    const known = this.#known.get(jobId);
    const found = known && (await findSeen(finder, jobId, states, { seen: known.seen, steps }));
    if (!known || !found?.ok) return { ok: false, final: false, message };
    const { root } = found.job.tree;
    if (root.pid !== known.root.pid || root.startTime !== known.root.startTime)
      return { ok: false, final: false, message: `${message}; its processes are of another run now` };
    if (await isFrozen(found.job.tree))
      return { ok: false, final: false, message: `${message}; it stands still, and may be suspended` };
    return { ...found, unasked: message };
  }
}
