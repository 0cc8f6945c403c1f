import { KEEPS_RECORD } from '../decide/evacuation/plan-step.ts';
import type { Policy } from '../vocabulary/policy.ts';
import type { State } from '../vocabulary/state.ts';

/**
 * The termination notices from which all that could be saved is saved: nothing is under way for any run or for the
 * node's drain. None of a dry run: to tell a cloud to go ahead is a call as well.
 */
export function savedNotices(state: State, policy: Policy): string[] {
  if (state.notices.size === 0 || policy.restore.dryRun) return [];
  const meant = [...state.notices.values()].filter(
    ({ notice }) => notice.kind === 'termination' && !notice.dryRun,
  );
  if (meant.length === 0 || state.ownDrain?.step === 'setting') return [];
  for (const { facts, endedAt, plan, checkpoint } of state.jobs.values()) {
    // A hook has told of it, and Slurm has not answered yet.
    if (facts === null && endedAt === null) return [];
    if (plan === null) continue;
    // One that is stranded is brought back after all if its checkpoint becomes ready.
    if (KEEPS_RECORD.has(plan.step) || (plan.step === 'stranded' && checkpoint !== null)) return [];
  }
  return meant.map(({ notice }) => notice.id);
}
