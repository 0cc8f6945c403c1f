import { iso } from '../../vocabulary/job.ts';
import type { JobRecord, Plan } from '../../vocabulary/state.ts';
import type { Draft } from '../draft.ts';
import { noteTooLate, tooLateAt } from './deadlines.ts';
import { guardWithin } from './guard.ts';
import { leavingNode } from './leaving.ts';
import { awaitFinal } from './plan.ts';
import { NOT_RESTORED, setPlan } from './plan-step.ts';

/**
 * Updates plans whose restore was not sent to what is known of their nodes now. A termination notice makes a drain
 * more urgent; a withdrawn one leaves the drain as it was. A manual plan keeps its reason, but gets the deadline.
 */
export function retime(draft: Draft): void {
  for (const job of draft.jobs.values()) {
    if (job.plan !== null && NOT_RESTORED.has(job.plan.step)) follow(draft, job, job.plan);
  }
}

function follow(draft: Draft, job: JobRecord, plan: Plan): void {
  const leaving = leavingNode(draft, job);
  if (leaving?.dryRun) return;
  if (plan.node !== null && leaving === null) return;
  const deadline = leaving?.deadline ?? null;
  const same = plan.node === null || (plan.reason === leaving?.reason && plan.node === leaving.node);
  if (same && deadline === plan.deadline) return;
  const next: Plan =
    plan.node === null || leaving === null
      ? { ...plan, deadline }
      : { ...plan, deadline, reason: leaving.reason, node: leaving.node };
  setPlan(draft, job.jobId, next);
  if (plan.step === 'guard') setPlan(draft, job.jobId, { waitUntil: draft.at + guardWithin(draft, next) });
  if (plan.reason === next.reason && deadline === plan.deadline) return;
  draft.note('info', 'plan-changed', job, `the plan for the run is now for ${next.reason}`, {
    node: next.node,
    reason: next.reason,
    deadline: iso(deadline),
  });
  if (tooLateAt(next) <= draft.at && tooLateAt(plan) > draft.at) noteTooLate(draft, job, next);
  if (plan.step === 'checkpoint' && deadline !== plan.deadline) awaitFinal(draft, job.jobId);
}
