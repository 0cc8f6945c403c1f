import type { EpochMs, Millis } from '../../vocabulary/job.ts';
import type { JobRecord, Plan } from '../../vocabulary/state.ts';
import type { Draft } from '../draft.ts';
import { AWAITS_RESTORE } from './plan-step.ts';

/** A final checkpoint is assumed to take 1.5 times as long as the last one, plus this. */
const CHECKPOINT_MARGIN_MS = 2_000;
/** The restore calls, of this run and of those that wait behind it, have to fit before the deadline too. */
const RESTORE_RESERVE_MS = 2_000;
/** Without a deadline, a run with a ready checkpoint waits at least this long for a newer one. */
const PATIENCE_MS = 60_000;

/** True if a final checkpoint is wanted and can be ready in time. One that is under way has a head start. */
export function finalCheckpointFits(draft: Draft, job: JobRecord, plan: Plan): boolean {
  if (job.ready === null) return job.checkpoint !== null || wantsFinal(draft, job);
  if (job.checkpoint === null && !wantsFinal(draft, job)) return false;
  return plan.deadline === null || (job.checkpoint?.startedAt ?? draft.at) <= latestStart(draft, job, plan);
}

function wantsFinal(draft: Draft, job: JobRecord): boolean {
  if (!draft.policy.restore.finalCheckpoint || job.endedAt !== null) return false;
  return job.ready === null || job.heartbeat.penalty === 0;
}

/** The latest time at which a final checkpoint of the run can begin. */
export function latestStart(draft: Draft, job: JobRecord, plan: Plan): EpochMs {
  if (plan.deadline === null || job.ready === null) return Number.POSITIVE_INFINITY;
  return plan.deadline - restoreReserve(draft) - job.ready.tookMs * 1.5 - CHECKPOINT_MARGIN_MS;
}

/** When the wait for the final checkpoint ends. Null: never, since there is nothing else to restore from. */
export function waitUntil(draft: Draft, job: JobRecord, plan: Plan): EpochMs | null {
  if (plan.deadline !== null) return plan.deadline - restoreReserve(draft);
  return job.ready === null ? null : draft.at + Math.max(PATIENCE_MS, job.ready.tookMs * 5);
}

/** Time for the restores of all runs with a deadline, given the concurrency. Computed once an event. */
function restoreReserve(draft: Draft): Millis {
  draft.reserveMs ??= countReserve(draft);
  return draft.reserveMs;
}

function countReserve(draft: Draft): Millis {
  let runs = 0;
  for (const { plan } of draft.jobs.values()) {
    if (plan === null || plan.deadline === null) continue;
    if (AWAITS_RESTORE.has(plan.step)) runs++;
  }
  return RESTORE_RESERVE_MS * Math.max(1, Math.ceil(runs / draft.policy.restore.concurrency));
}
