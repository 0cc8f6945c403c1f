import { readDrainReason } from '../../vocabulary/drain-reason.ts';
import type { EpochMs, RestoreReason } from '../../vocabulary/job.ts';
import type { NodeFacts } from '../../vocabulary/node.ts';
import type { Policy } from '../../vocabulary/policy.ts';
import { isDrained, SHUTDOWN_FLAGS } from '../../vocabulary/slurm-states.ts';

/** How much of a drain's reason is matched. The patterns are an admin's, and a reason may have any length. */
const REASON_CHARACTERS = 1_000;

export interface Leave {
  readonly reason: RestoreReason;
  readonly deadline: EpochMs | null;
}

/**
 * Why the jobs of a node have to leave it, or null where they may stay. A drain that ckptd set on that node carries
 * its termination notice. `ignoreOwn`: ignore such a drain, because the notice itself is known here.
 */
export function reasonToLeave(
  facts: NodeFacts,
  policy: Policy,
  { ignoreOwn = false }: { ignoreOwn?: boolean } = {},
): Leave | null {
  const noticed = facts.flags.includes('DRAIN') ? readDrainReason(facts.reason) : null;
  if (SHUTDOWN_FLAGS.some((flag) => facts.flags.includes(flag))) {
    const deadline = noticed?.deadline ?? null;
    return policy.restore.onTermination ? { reason: 'nodeTermination', deadline } : null;
  }
  if (noticed !== null) {
    if (ignoreOwn || !policy.restore.onTermination) return null;
    return { reason: 'nodeTermination', deadline: noticed.deadline };
  }
  // Not DOWN, whose jobs Slurm ends itself, nor NOT_RESPONDING, which passes after a restart of slurmd.
  if (!isDrained(facts.flags)) return null;
  const reason = facts.reason.slice(0, REASON_CHARACTERS);
  if (policy.restore.skipReasons.some((pattern) => pattern.test(reason))) return null;
  return policy.restore.onDrain ? { reason: 'nodeUnschedulable', deadline: null } : null;
}

/** True if Slurm cannot reach the node: its word on the node's jobs may be wrong. */
export function unreachable(facts: NodeFacts | undefined): boolean {
  return facts === undefined || facts.base === 'DOWN' || facts.flags.includes('NOT_RESPONDING');
}
