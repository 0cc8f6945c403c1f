import { expandHostlist } from '../../slurm/hostlist.ts';
import type { JobId, RestoreReason } from '../../vocabulary/job.ts';
import type { Source } from '../checkpoint/source.ts';
import { type Placement, placementOf, takesJobs } from './placement.ts';

/** How a requeued job is kept from coming straight back. */
export interface Exclusion {
  /** `ExcNodeList` as the job's owner has it: what an order remembers. */
  readonly own: string;
  /** What it has to become; null where it is so already. */
  readonly wanted: string | null;
}

const AS_IT_IS: Exclusion = { own: '', wanted: null };

/**
 * A node that is drained gets no job from Slurm anyway, and one that the job's owner requires cannot be excluded:
 * only a node that goes away without Slurm's knowing is put on the job's list. Where Slurm does not say, nothing is
 * excluded: a job that waits for ever is worse than one that comes back.
 */
export async function exclusionFor(
  source: Source,
  run: { readonly jobId: JobId; readonly restarts: number },
  reason: RestoreReason,
): Promise<Exclusion> {
  const { log, store, config } = source;
  const placement = await placementOf(source, run.jobId);
  if (!placement) {
    log.warn({ job_id: run.jobId }, 'which nodes the job excludes is not known: none is added');
    return AS_IT_IS;
  }
  const order = await store.readOrder(run.jobId);
  const own = order?.restarts === run.restarts ? order.excludedNodes : placement.excluded;
  const wanted = (await keepsAway(source, placement, reason)) ? joined(own, config.slurm.node) : own;
  return { own, wanted: wanted === placement.excluded ? null : wanted };
}

async function keepsAway(source: Source, { required }: Placement, reason: RestoreReason): Promise<boolean> {
  const { node } = source.config.slurm;
  if (reason === 'manual' || names(required).includes(node)) return false;
  const seen = await takesJobs(source, node);
  if ('open' in seen) return seen.open;
  source.log.warn(
    { node, problem: seen.problem },
    "this node's state is not known: the job may come back to it",
  );
  return false;
}

function joined(list: string, node: string): string {
  if (names(list).includes(node)) return list;
  return list === '' ? node : `${list},${node}`;
}

function names(list: string): readonly string[] {
  const expanded = expandHostlist(list);
  return expanded.ok ? expanded.hosts : [];
}
