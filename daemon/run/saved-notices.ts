import { KEEPS_RECORD } from '../decide/evacuation/plan-step.ts';
import type { Policy } from '../vocabulary/policy.ts';
import type { State } from '../vocabulary/state.ts';

/**
 * The ids of termination notices whose jobs are all saved: nothing is under way for any run or for the node's drain.
 * None in a dry run, because telling a cloud to go ahead is a call as well.
 */
export function savedNotices(state: State, policy: Policy): string[] {
  if (state.notices.size === 0 || policy.restore.dryRun) return [];
  const meant = [...state.notices.values()].filter(
    ({ notice }) => notice.kind === 'termination' && !notice.dryRun,
  );
  if (meant.length === 0 || state.ownDrain?.step === 'setting') return [];
  for (const { facts, endedAt, plan, checkpoint } of state.jobs.values()) {
    // A hook reported the job, and Slurm has not answered yet.
    if (facts === null && endedAt === null) return [];
    if (plan === null) continue;
    // A stranded run is restored after all if its checkpoint becomes ready.
    if (KEEPS_RECORD.has(plan.step) || (plan.step === 'stranded' && checkpoint !== null)) return [];
  }
  return meant.map(({ notice }) => notice.id);
}
