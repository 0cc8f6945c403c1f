import type { EpochMs, JobId, RestoreReason } from '../vocabulary/job.ts';
import type { JobRecord, Plan, PlanStep } from '../vocabulary/state.ts';
import type { Draft } from './draft.ts';
import { reasonToLeave } from './node-away.ts';
import { beginPlan, planEffectId, releaseGuard } from './plan.ts';
import { isLive, ruleFor } from './rules.ts';
import { unsavedWork } from './unsaved.ts';

/** Steps that hold one of `restore.concurrency` places. */
const UNDER_WAY: ReadonlySet<PlanStep> = new Set(['guard', 'checkpoint', 'restore', 'end-source']);
/** Steps in which a plan is simply dropped when its node comes back. */
const RETRACTABLE: ReadonlySet<PlanStep> = new Set(['queued', 'guard', 'checkpoint', 'stranded', 'failed']);

/** Makes a plan for each run that has a part on a node that goes away, and has none yet. */
export function evacuate(draft: Draft): void {
  for (const job of draft.jobs.values()) {
    if (!isLive(job) || ruleFor(job, draft.policy) === null) continue;
    const leaving = leavingNode(draft, job);
    if (leaving === null || (job.plan !== null && !outlived(job.plan, leaving.since))) continue;
    makePlan(draft, job, { node: leaving.node, reason: leaving.reason });
  }
  beginQueued(draft);
}

/** A plan that failed in an earlier episode; a run that was restored once is never restored by itself again. */
function outlived(plan: Plan, since: EpochMs): boolean {
  return plan.step === 'failed' && plan.episode < since;
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

export function makePlan(
  draft: Draft,
  job: JobRecord,
  why: Pick<Plan, 'node' | 'reason'> & Partial<Pick<Plan, 'actionId' | 'requestId'>>,
): void {
  const plan: Plan = {
    episode: draft.at,
    deadline: null,
    step: 'queued',
    guarded: false,
    waitUntil: null,
    actionId: null,
    requestId: null,
    problem: null,
    ...why,
  };
  draft.change(job.jobId, { plan, heartbeat: { ...job.heartbeat, waiting: false } });
  const whence = plan.node === null ? 'by hand' : `node ${plan.node} goes away`;
  draft.note('info', 'plan-made', job, `the run is to be brought to another node: ${whence}`, {
    node: plan.node,
    reason: plan.reason,
  });
}

/** Fills the free places, the largest unsaved work first. */
function beginQueued(draft: Draft): void {
  const planned = [...draft.jobs.values()].filter((job) => job.plan !== null);
  let places =
    draft.policy.restore.concurrency - planned.filter((job) => UNDER_WAY.has(job.plan!.step)).length;
  const queued = planned.filter((job) => job.plan?.step === 'queued');
  if (queued.length === 0) return;
  queued.sort((a, b) => unsavedWork(b, draft.at) - unsavedWork(a, draft.at) || a.jobId - b.jobId);
  for (const job of queued) {
    if (places <= 0) return;
    beginPlan(draft, job, job.plan!);
    const step = draft.jobs.get(job.jobId)?.plan?.step;
    if (step && UNDER_WAY.has(step)) places--;
  }
}

/** A node came back: the plans made for it are taken back, as far as their restore was not sent. */
export function takeBack(draft: Draft): void {
  for (const job of draft.jobs.values()) {
    const { plan } = job;
    if (!plan || plan.node === null) continue;
    const node = draft.nodes.get(plan.node);
    if (node === undefined || node.awaySince !== null) continue;
    if (RETRACTABLE.has(plan.step)) dropPlan(draft, job.jobId, `node ${plan.node} is back`);
    else if (plan.step === 'restore') draft.recalls.push(planEffectId('restore', job, plan));
  }
}

/** The run stays where it is; a checkpoint that is under way for it is still a good one to have. */
export function dropPlan(draft: Draft, jobId: JobId, why: string): void {
  const job = draft.jobs.get(jobId);
  if (!job?.plan) return;
  if (job.plan.step === 'guard') draft.recalls.push(planEffectId('guard', job, job.plan));
  releaseGuard(draft, jobId);
  draft.reply(job.plan.requestId, { status: 409, message: why });
  draft.change(jobId, { plan: null });
  draft.note('info', 'plan-dropped', job, `the plan for the run is dropped: ${why}`, { node: job.plan.node });
}
