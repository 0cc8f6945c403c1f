import type { PlanStep, State } from '../vocabulary/state.ts';

const FINAL_STEPS: ReadonlySet<PlanStep> = new Set(['done', 'failed', 'rehearsed']);

/** True if a run is being moved away, or is about to be. */
export function isUrgent({ notices, jobs, ownDrain }: State): boolean {
  if (notices.size > 0 || ownDrain?.step === 'setting' || ownDrain?.step === 'lifting') return true;
  for (const { plan } of jobs.values()) if (plan !== null && !FINAL_STEPS.has(plan.step)) return true;
  return false;
}
