import type { EpochMs } from '../../vocabulary/job.ts';
import type { JobRecord, Plan } from '../../vocabulary/state.ts';
import type { Draft } from '../draft.ts';
import { chooseCheckpoint } from './plan.ts';
import { AWAITS_RESTORE, planEffectId, setPlan } from './plan-step.ts';

/** Grace for a restore that is asked for after the deadline, before an alarm: clocks differ. */
const ANSWERS_WITHIN_MS = 5_000;

/** Moves on plans whose final checkpoint took too long, or whose guard did after a deadline came up. */
export function enforceDeadlines(draft: Draft): void {
  for (const job of draft.jobs.values()) {
    const { jobId, plan } = job;
    if (plan !== null && isTooLate(draft, plan)) noteTooLate(draft, job, plan);
    if (!plan || plan.waitUntil === null || plan.waitUntil > draft.at) continue;
    if (plan.step === 'guard') {
      setPlan(draft, jobId, { waitUntil: null });
      draft.recalls.push(planEffectId('guard', job, plan));
    } else if (plan.step === 'checkpoint') {
      setPlan(draft, jobId, { problem: 'its final checkpoint was not ready in time' });
      chooseCheckpoint(draft, jobId);
    }
  }
}

/** The time of the alarm that the run is not restored yet. */
export function tooLateAt({ deadline, episode, step }: Plan): EpochMs {
  if (deadline === null || !AWAITS_RESTORE.has(step)) return Number.POSITIVE_INFINITY;
  return Math.max(deadline, episode + ANSWERS_WITHIN_MS);
}

/** True in one event only, so that the alarm is given once. */
function isTooLate(draft: Draft, plan: Plan): boolean {
  const at = tooLateAt(plan);
  return at <= draft.at && at > draft.lastAt;
}

/** Raises the alarm. The plan goes on: the node may still be there. */
export function noteTooLate(draft: Draft, job: JobRecord, plan: Plan): void {
  const node = plan.node ?? draft.policy.node;
  const problem = `the deadline of node ${node} is over, and its restore is not answered yet`;
  draft.note('error', 'job-in-danger', job, `job ${job.jobId} is in danger: ${problem}`, {
    node,
    step: plan.step,
    action_id: plan.actionId ?? job.ready?.actionId ?? null,
    advice: 'if the node goes away before, restore its last checkpoint by hand',
  });
}
