import { readDrainReason } from '../../vocabulary/drain-reason.ts';
import type { EpochMs, RestoreReason } from '../../vocabulary/job.ts';
import type { NodeFacts } from '../../vocabulary/node.ts';
import type { Policy } from '../../vocabulary/policy.ts';

/**
 * A node that is being shut down. A plain `scontrol reboot` (REBOOT_REQUESTED without DRAIN) is not among
 * them: the node still takes jobs and waits for them to end.
 */
const TERMINATING = ['POWER_DOWN', 'POWERING_DOWN', 'POWERED_DOWN', 'REBOOT_ISSUED'];
/**
 * A node that jobs should leave. DOWN and NOT_RESPONDING are left out: of a DOWN node Slurm ends the jobs
 * itself, and NOT_RESPONDING passes by itself after a resume or a restart of slurmd.
 */
const UNSCHEDULABLE = ['DRAIN', 'FAIL'];

/** As much of a drain's reason as is matched: patterns are an admin's, and a reason may be of any length. */
const REASON_CHARACTERS = 1_000;

export interface Leave {
  readonly reason: RestoreReason;
  readonly deadline: EpochMs | null;
}

/**
 * Why the jobs of a node have to leave it, or null where they may stay. A drain that the ckptd of that node set tells
 * of its termination notice; `ignoreOwn`: the notice itself is known here.
 */
export function reasonToLeave(
  facts: NodeFacts,
  policy: Policy,
  { ignoreOwn = false }: { ignoreOwn?: boolean } = {},
): Leave | null {
  const noticed = facts.flags.includes('DRAIN') ? readDrainReason(facts.reason) : null;
  if (TERMINATING.some((flag) => facts.flags.includes(flag))) {
    const deadline = noticed?.deadline ?? null;
    return policy.restore.onTermination ? { reason: 'nodeTermination', deadline } : null;
  }
  if (noticed !== null) {
    if (ignoreOwn || !policy.restore.onTermination) return null;
    return { reason: 'nodeTermination', deadline: noticed.deadline };
  }
  if (!UNSCHEDULABLE.some((flag) => facts.flags.includes(flag))) return null;
  const reason = facts.reason.slice(0, REASON_CHARACTERS);
  if (policy.restore.skipReasons.some((pattern) => pattern.test(reason))) return null;
  return policy.restore.onDrain ? { reason: 'nodeUnschedulable', deadline: null } : null;
}

/** Slurm cannot reach the node: what it says of the node's jobs may not be so. */
export function unreachable(facts: NodeFacts | undefined): boolean {
  return facts === undefined || facts.base === 'DOWN' || facts.flags.includes('NOT_RESPONDING');
}
