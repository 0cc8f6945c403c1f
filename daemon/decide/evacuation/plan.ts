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
 * Plans are made in `evacuate.ts`, moved on by time in `deadlines.ts`, and end without a restore in `plan-end.ts`.
 * `rehearsed` stands beside all that: in a dry run it is said what would be done.
 */
import { type EpochMs, iso, type JobId } from '../../vocabulary/job.ts';
import type { JobRecord, Plan } from '../../vocabulary/state.ts';
import { askCheckpoint } from '../checkpoints/ask-checkpoint.ts';
import type { Draft } from '../draft.ts';
import { awaitsVerdict } from '../rules.ts';
import { askGuard, needsGuard } from './guard.ts';
import { failPlan, strandPlan } from './plan-end.ts';
import { freePlaces, planEffectId, RESTORING, setPlan, UNDER_WAY } from './plan-step.ts';
import { finalCheckpointFits, waitUntil } from './plan-time.ts';
import { awaitsConfirmation } from './unconfirmed.ts';

type Why = Pick<Plan, 'node' | 'reason'> & Partial<Pick<Plan, 'deadline' | 'actionId' | 'requestId'>>;

export function newPlan(episode: EpochMs, why: Why): Plan {
  return {
    episode,
    deadline: null,
    step: 'queued',
    guarded: false,
    waitUntil: null,
    actionId: null,
    requestId: null,
    problem: null,
    ...why,
  };
}

export function makePlan(draft: Draft, job: JobRecord, why: Why): void {
  const plan = newPlan(draft.at, why);
  draft.change(job.jobId, { plan, heartbeat: { ...job.heartbeat, waiting: false } });
  const whence = plan.node === null ? 'by hand' : `node ${plan.node} goes away`;
  draft.note('info', 'plan-made', job, `the run will be moved to another node: ${whence}`, {
    node: plan.node,
    reason: plan.reason,
    ...(plan.deadline === null ? {} : { deadline: iso(plan.deadline) }),
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
  if (!finalCheckpointFits(draft, job, plan)) return chooseCheckpoint(draft, jobId);
  // It began where it needed none, beside all the places, and its deadline is another since.
  if (freePlaces(draft, UNDER_WAY, jobId) <= 0) return holdPlan(draft, jobId);
  if (job.checkpoint === null) {
    // A deadline that is over may be a clock's fault, and there is nothing else to be done for the run.
    const acceptBy = plan.deadline !== null && plan.deadline > draft.at ? plan.deadline : null;
    askCheckpoint(draft, jobId, { reason: 'manual', acceptBy });
  }
  awaitFinal(draft, jobId);
}

/** Waits for the final checkpoint under way, or does not, where it cannot be ready in time. */
export function awaitFinal(draft: Draft, jobId: JobId): void {
  const job = draft.jobs.get(jobId);
  const plan = job?.plan;
  if (!job || !plan) return;
  const until = finalCheckpointFits(draft, job, plan) ? waitUntil(draft, job, plan) : draft.at;
  if (until !== null && until <= draft.at) return chooseCheckpoint(draft, jobId);
  setPlan(draft, jobId, { step: 'checkpoint', waitUntil: until });
}

export function holdPlan(draft: Draft, jobId: JobId): void {
  setPlan(draft, jobId, { step: 'queued', waitUntil: null });
}

/** The newest ready checkpoint, or the plan is stranded until one becomes ready. */
export function chooseCheckpoint(draft: Draft, jobId: JobId): void {
  const job = draft.jobs.get(jobId);
  const plan = job?.plan;
  if (!job || !plan) return;
  if (awaitsVerdict(job)) return holdPlan(draft, jobId);
  if (job.ready !== null) return restoreFrom(draft, job, plan, job.ready.actionId);
  const problem = plan.problem ?? 'there is no checkpoint of it that is ready';
  if (job.endedAt !== null) failPlan(draft, job, plan, problem);
  else strandPlan(draft, job, plan, problem);
}

/** At once, if a place is free: runs that need no final checkpoint do not wait for those that do. */
function restoreFrom(draft: Draft, job: JobRecord, plan: Plan, actionId: string): void {
  if (freePlaces(draft, RESTORING, job.jobId) > 0) return sendRestore(draft, job, plan, actionId);
  setPlan(draft, job.jobId, { step: 'queued', actionId, waitUntil: null });
}

function sendRestore(draft: Draft, job: JobRecord, plan: Plan, actionId: string): void {
  if (awaitsConfirmation(draft, plan)) {
    return setPlan(draft, job.jobId, { step: 'queued', actionId, waitUntil: null });
  }
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
