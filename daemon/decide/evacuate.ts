import type { EpochMs, RestoreReason } from '../vocabulary/job.ts';
import type { JobRecord, Plan } from '../vocabulary/state.ts';
import type { Draft } from './draft.ts';
import { reasonToLeave } from './node-away.ts';
import { beginPlan, makePlan } from './plan.ts';
import { dropPlan } from './plan-end.ts';
import { NOT_RESTORED, planEffectId, UNDER_WAY } from './plan-step.ts';
import { awaitsVerdict, isLive, ruleFor } from './rules.ts';
import { unsavedWork } from './unsaved.ts';

/** Makes a plan for each run that has a part on a node that goes away, and has none yet. */
export function evacuate(draft: Draft): void {
  const anyAway = [...draft.nodes.values()].some(({ awaySince }) => awaySince !== null);
  for (const job of draft.jobs.values()) {
    if (job.plan !== null && unwanted(draft, job, job.plan)) {
      dropPlan(draft, job.jobId, 'its policy, or its user, leaves it alone');
    } else if (anyAway && isLive(job)) {
      planFor(draft, job);
    }
  }
  beginQueued(draft);
}

/** Configuration and Prolog may come after the drain. What a person asked for needs no policy. */
function unwanted(draft: Draft, job: JobRecord, plan: Plan): boolean {
  return plan.node !== null && NOT_RESTORED.has(plan.step) && ruleFor(job, draft.policy) === null;
}

function planFor(draft: Draft, job: JobRecord): void {
  const leaving = leavingNode(draft, job);
  if (leaving === null || (job.plan !== null && !outlived(job.plan, leaving.since, draft.at))) return;
  if (ruleFor(job, draft.policy) === null) return;
  makePlan(draft, job, { node: leaving.node, reason: leaving.reason });
}

/**
 * A plan that failed in an earlier episode (or in the future, where the clock was set back since); a run that was
 * restored once is never restored by itself again.
 */
function outlived(plan: Plan, since: EpochMs, at: EpochMs): boolean {
  return plan.step === 'failed' && (plan.episode < since || plan.episode > at);
}

function leavingNode(
  draft: Draft,
  job: JobRecord,
): { node: string; reason: RestoreReason; since: EpochMs } | null {
  for (const name of job.facts?.nodes ?? []) {
    const node = draft.nodes.get(name);
    if (!node || node.awaySince === null) continue;
    const reason = reasonToLeave(node.facts, draft.policy);
    if (reason !== null) return { node: name, reason, since: node.awaySince };
  }
  return null;
}

/** Fills the free places, the largest unsaved work first. */
function beginQueued(draft: Draft): void {
  const jobs = [...draft.jobs.values()];
  const queued = jobs.filter((job) => job.plan?.step === 'queued' && !awaitsVerdict(job));
  if (queued.length === 0) return;
  let places =
    draft.policy.restore.concurrency - jobs.filter(({ plan }) => plan && UNDER_WAY.has(plan.step)).length;
  queued.sort((a, b) => unsavedWork(b, draft.at) - unsavedWork(a, draft.at) || a.jobId - b.jobId);
  for (const job of queued) {
    if (places <= 0) return;
    beginPlan(draft, job, job.plan!);
    const step = draft.jobs.get(job.jobId)?.plan?.step;
    if (step && UNDER_WAY.has(step)) places--;
  }
}

/**
 * A node came back: the plans made for it are taken back, as far as their restore was not sent, the run is still
 * there and no other node of it goes away.
 */
export function takeBack(draft: Draft): void {
  for (const job of draft.jobs.values()) {
    const { plan } = job;
    if (!plan || plan.node === null || job.endedAs !== null) continue;
    const node = draft.nodes.get(plan.node);
    if (node === undefined || node.awaySince !== null || leavingNode(draft, job) !== null) continue;
    if (NOT_RESTORED.has(plan.step) || plan.step === 'failed') {
      dropPlan(draft, job.jobId, `node ${plan.node} is back`);
    } else if (plan.step === 'restore') draft.recalls.push(planEffectId('restore', job, plan));
  }
}
