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
 * Steps are only ever taken forward here; plans are made and taken back in `evacuate.ts`.
 */
import type { EpochMs, JobId } from '../vocabulary/job.ts';
import { runKey } from '../vocabulary/job.ts';
import type { JobRecord, Plan } from '../vocabulary/state.ts';
import { askCheckpoint } from './ask-checkpoint.ts';
import type { Draft } from './draft.ts';

/** How long slurmctld may take to take the guard; then the restore goes on without it. */
const GUARD_WITHIN_MS = 30_000;
/** A final checkpoint is taken to need one and a half times what the last one took, and this. */
const CHECKPOINT_MARGIN_MS = 2_000;
/** The restore call itself has to fit before the deadline as well. */
const RESTORE_RESERVE_MS = 2_000;
/** Without a deadline, a run that has a ready checkpoint waits this long for a newer one at least. */
const PATIENCE_MS = 60_000;

/** The id of a plan's effect: an effect of the same run and episode is the same effect. */
export function planEffectId(
  what: 'guard' | 'release' | 'restore' | 'end-source',
  job: JobRecord,
  plan: Plan,
): string {
  return `${what}:${runKey(job.jobId, job.restarts)}:${plan.episode}`;
}

export function setPlan(draft: Draft, jobId: JobId, fields: Partial<Plan>): void {
  const plan = draft.jobs.get(jobId)?.plan;
  if (plan) draft.change(jobId, { plan: { ...plan, ...fields } });
}

/** A place is free: the plan begins. */
export function beginPlan(draft: Draft, job: JobRecord, plan: Plan): void {
  if (draft.policy.restore.sourceJob === 'leave' || !job.facts?.requeue) {
    return seekCheckpoint(draft, job.jobId);
  }
  setPlan(draft, job.jobId, { step: 'guard', guarded: true });
  draft.effects.push({
    kind: 'guard',
    id: planEffectId('guard', job, plan),
    jobId: job.jobId,
    restarts: job.restarts,
    requeue: false,
    expiresAt: Math.min(draft.at + GUARD_WITHIN_MS, plan.deadline ?? Number.POSITIVE_INFINITY),
  });
}

/** One more checkpoint before the restore, where it is wanted and fits; else straight to the restore. */
export function seekCheckpoint(draft: Draft, jobId: JobId): void {
  const job = draft.jobs.get(jobId);
  const plan = job?.plan;
  if (!job || !plan) return;
  if (plan.actionId !== null) return sendRestore(draft, job, plan, plan.actionId);
  if (job.checkpoint === null && !finalCheckpointFits(draft, job, plan))
    return chooseCheckpoint(draft, jobId);
  setPlan(draft, jobId, { step: 'checkpoint', waitUntil: waitUntil(draft, job, plan) });
  if (job.checkpoint === null) askCheckpoint(draft, jobId, { reason: 'manual', acceptBy: plan.deadline });
}

function finalCheckpointFits(draft: Draft, job: JobRecord, plan: Plan): boolean {
  if (!draft.policy.restore.finalCheckpoint || job.endedAt !== null) return false;
  if (job.ready !== null && job.heartbeat.penalty > 0) return false;
  if (plan.deadline === null) return true;
  if (job.ready === null) return plan.deadline > draft.at;
  return draft.at + job.ready.tookMs * 1.5 + CHECKPOINT_MARGIN_MS <= plan.deadline - RESTORE_RESERVE_MS;
}

/** Null: as long as it takes, since there is nothing else to restore from. */
function waitUntil(draft: Draft, job: JobRecord, plan: Plan): EpochMs | null {
  if (plan.deadline !== null) return Math.max(draft.at, plan.deadline - RESTORE_RESERVE_MS);
  return job.ready === null ? null : draft.at + Math.max(PATIENCE_MS, job.ready.tookMs * 5);
}

/** The newest ready checkpoint, or the plan is stranded until one becomes ready. */
export function chooseCheckpoint(draft: Draft, jobId: JobId): void {
  const job = draft.jobs.get(jobId);
  const plan = job?.plan;
  if (!job || !plan) return;
  if (job.ready !== null) return sendRestore(draft, job, plan, job.ready.actionId);
  const problem = plan.problem ?? 'there is no checkpoint of it that is ready';
  if (job.endedAt !== null) return failPlan(draft, job, plan, problem);
  setPlan(draft, jobId, { step: 'stranded', waitUntil: null, problem });
  const leaving = plan.node === null ? '' : ` node ${plan.node} goes away and`;
  draft.note('error', 'job-in-danger', job, `job ${jobId} is in danger:${leaving} ${problem}`, {
    node: plan.node,
    deadline: plan.deadline,
    advice: `curl --unix-socket SOCKET -X POST http://ckptd/v1/jobs/${jobId}/checkpoint tries again`,
  });
  draft.reply(plan.requestId, { status: 409, message: problem });
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

/** The run cannot be brought back by this plan, and somebody has to know. */
export function failPlan(draft: Draft, job: JobRecord, plan: Plan, problem: string): void {
  setPlan(draft, job.jobId, { step: 'failed', problem, waitUntil: null });
  const kind = job.endedAt === null ? 'job-in-danger' : 'job-lost';
  const word = job.endedAt === null ? 'in danger' : 'lost';
  draft.note('error', kind, job, `job ${job.jobId} is ${word}: ${problem}`, {
    node: plan.node,
    action_id: plan.actionId,
    advice: `POST /v1/jobs/${job.jobId}/restore on this node's socket tries again`,
  });
  draft.reply(plan.requestId, { status: 502, message: problem });
  releaseGuard(draft, job.jobId);
}

/** Gives Slurm's `Requeue` back to a run that stays where it is. */
export function releaseGuard(draft: Draft, jobId: JobId): void {
  const job = draft.jobs.get(jobId);
  if (!job?.plan?.guarded) return;
  setPlan(draft, jobId, { guarded: false });
  if (job.endedAt !== null) return;
  draft.effects.push({
    kind: 'guard',
    id: planEffectId('release', job, job.plan),
    jobId,
    restarts: job.restarts,
    requeue: true,
    expiresAt: Number.MAX_SAFE_INTEGER,
  });
}

/** A checkpoint of the job became ready: what waited for one goes on. */
export function checkpointReady(draft: Draft, jobId: JobId): void {
  const step = draft.jobs.get(jobId)?.plan?.step;
  if (step === 'checkpoint' || step === 'stranded') chooseCheckpoint(draft, jobId);
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
