/*
 * A plan brings one run to another node:
 *
 *   queued ─▶ guard ─▶ checkpoint ─▶ restore ─▶ end-source ─▶ done
 *                          │            │
 *                          ▼            ▼
 *                       stranded      failed
 *
 * What moves it: a free place (queued), the outcome of its effect (guard, restore, end-source), the job's
 * checkpoint becoming ready or failing (checkpoint, stranded), or the end of the time for it (checkpoint).
 * A run that is over goes back to `queued` until Slurm said how it ended: a job that completed is not restored.
 * Plans are made in `evacuate.ts`, and end without a restore in `plan-end.ts`.
 */
import type { EpochMs, JobId } from '../vocabulary/job.ts';
import type { JobRecord, Plan } from '../vocabulary/state.ts';
import { askCheckpoint } from './ask-checkpoint.ts';
import type { Draft } from './draft.ts';
import { askGuard, needsGuard } from './guard.ts';
import { failPlan, strandPlan } from './plan-end.ts';
import { planEffectId, setPlan } from './plan-step.ts';
import { awaitsVerdict } from './rules.ts';

/** A final checkpoint is taken to need one and a half times what the last one took, and this. */
const CHECKPOINT_MARGIN_MS = 2_000;
/** The restore call itself has to fit before the deadline as well. */
const RESTORE_RESERVE_MS = 2_000;
/** Without a deadline, a run that has a ready checkpoint waits this long for a newer one at least. */
const PATIENCE_MS = 60_000;

export function makePlan(
  draft: Draft,
  job: JobRecord,
  why: Pick<Plan, 'node' | 'reason'> & Partial<Pick<Plan, 'deadline' | 'actionId' | 'requestId'>>,
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

/** A place is free: the plan begins. */
export function beginPlan(draft: Draft, job: JobRecord, plan: Plan): void {
  if (needsGuard(draft, job, plan)) askGuard(draft, job, plan);
  else seekCheckpoint(draft, job.jobId);
}

/** One more checkpoint before the restore, where it is wanted and fits; else straight to the restore. */
export function seekCheckpoint(draft: Draft, jobId: JobId): void {
  const job = draft.jobs.get(jobId);
  const plan = job?.plan;
  if (!job || !plan) return;
  if (awaitsVerdict(job)) return holdPlan(draft, jobId);
  if (plan.actionId !== null) return sendRestore(draft, job, plan, plan.actionId);
  if (job.checkpoint === null && !finalCheckpointFits(draft, job, plan))
    return chooseCheckpoint(draft, jobId);
  setPlan(draft, jobId, { step: 'checkpoint', waitUntil: waitUntil(draft, job, plan) });
  if (job.checkpoint === null) askCheckpoint(draft, jobId, { reason: 'manual', acceptBy: plan.deadline });
}

export function holdPlan(draft: Draft, jobId: JobId): void {
  setPlan(draft, jobId, { step: 'queued', waitUntil: null });
}

function finalCheckpointFits(draft: Draft, job: JobRecord, plan: Plan): boolean {
  if (!draft.policy.restore.finalCheckpoint || job.endedAt !== null) return false;
  if (job.ready !== null && job.heartbeat.penalty > 0) return false;
  if (plan.deadline === null) return true;
  if (job.ready === null) return plan.deadline > draft.at;
  return draft.at + job.ready.tookMs * 1.5 + CHECKPOINT_MARGIN_MS <= plan.deadline - RESTORE_RESERVE_MS;
}

/** Null: as long as it takes, since there is nothing else to restore from. Never now: time has to pass for it. */
function waitUntil(draft: Draft, job: JobRecord, plan: Plan): EpochMs | null {
  if (plan.deadline !== null) return Math.max(draft.at + 1, plan.deadline - RESTORE_RESERVE_MS);
  return job.ready === null ? null : draft.at + Math.max(PATIENCE_MS, job.ready.tookMs * 5);
}

/** The newest ready checkpoint, or the plan is stranded until one becomes ready. */
function chooseCheckpoint(draft: Draft, jobId: JobId): void {
  const job = draft.jobs.get(jobId);
  const plan = job?.plan;
  if (!job || !plan) return;
  if (awaitsVerdict(job)) return holdPlan(draft, jobId);
  if (job.ready !== null) return sendRestore(draft, job, plan, job.ready.actionId);
  const problem = plan.problem ?? 'there is no checkpoint of it that is ready';
  if (job.endedAt !== null) failPlan(draft, job, plan, problem);
  else strandPlan(draft, job, plan, problem);
}

function sendRestore(draft: Draft, job: JobRecord, plan: Plan, actionId: string): void {
  setPlan(draft, job.jobId, { step: 'restore', actionId, waitUntil: null });
  draft.effects.push({
    kind: 'restore',
    id: planEffectId('restore', job, plan),
    jobId: job.jobId,
    restarts: job.restarts,
    actionId,
    reason: plan.reason,
    newJob: draft.policy.restore.sourceJob === 'cancel',
    requestId: plan.requestId,
  });
  draft.note('info', 'restore-sent', job, `restore asked for (${plan.reason})`, {
    action_id: actionId,
    node: plan.node,
    reason: plan.reason,
  });
}

/** A checkpoint of the job became ready: what waited for one goes on; what was stranded queues up anew. */
export function checkpointReady(draft: Draft, jobId: JobId): void {
  const job = draft.jobs.get(jobId);
  if (job?.plan?.step === 'checkpoint') return chooseCheckpoint(draft, jobId);
  if (job?.plan?.step !== 'stranded' || job.ready === null) return;
  const { node, reason, deadline } = job.plan;
  makePlan(draft, job, { node, reason, deadline, actionId: job.ready.actionId });
}

/** A checkpoint of the job failed: the plan that waited for it makes do with an older one. */
export function checkpointFailed(draft: Draft, jobId: JobId, message: string): void {
  if (draft.jobs.get(jobId)?.plan?.step !== 'checkpoint') return;
  setPlan(draft, jobId, { problem: `its final checkpoint failed: ${message}` });
  chooseCheckpoint(draft, jobId);
}

/** Time moves plans whose final checkpoint took too long. */
export function hurryPlans(draft: Draft): void {
  for (const { jobId, plan } of draft.jobs.values()) {
    if (plan?.step !== 'checkpoint' || plan.waitUntil === null || plan.waitUntil > draft.at) continue;
    setPlan(draft, jobId, { problem: 'its final checkpoint was not ready in time' });
    chooseCheckpoint(draft, jobId);
  }
}
