import type { EpochMs, Millis } from '../../vocabulary/job.ts';
import type { JobRecord, Plan } from '../../vocabulary/state.ts';
import type { Draft } from '../draft.ts';
import { AWAITS_RESTORE } from './plan-step.ts';

/** A final checkpoint is taken to need one and a half times what the last one took, and this. */
const CHECKPOINT_MARGIN_MS = 2_000;
/** The restore call itself has to fit before the deadline as well, and those of the runs that wait behind it. */
const RESTORE_RESERVE_MS = 2_000;
/** Without a deadline, a run that has a ready checkpoint waits this long for a newer one at least. */
const PATIENCE_MS = 60_000;

/** Whether one more checkpoint before the restore is wanted, and done in time; one that is under way is half done. */
export function finalCheckpointFits(draft: Draft, job: JobRecord, plan: Plan): boolean {
  if (job.ready === null) return job.checkpoint !== null || wantsFinal(draft, job);
  if (job.checkpoint === null && !wantsFinal(draft, job)) return false;
  return plan.deadline === null || (job.checkpoint?.startedAt ?? draft.at) <= latestStart(draft, job, plan);
}

function wantsFinal(draft: Draft, job: JobRecord): boolean {
  if (!draft.policy.restore.finalCheckpoint || job.endedAt !== null) return false;
  return job.ready === null || job.heartbeat.penalty === 0;
}

/** The last moment at which a final checkpoint of the run can begin. */
export function latestStart(draft: Draft, job: JobRecord, plan: Plan): EpochMs {
  if (plan.deadline === null || job.ready === null) return Number.POSITIVE_INFINITY;
  return plan.deadline - restoreReserve(draft) - job.ready.tookMs * 1.5 - CHECKPOINT_MARGIN_MS;
}

/**
 * Until when the final checkpoint is waited for. Null: as long as it takes, since there is nothing else to restore
 * from.
 */
export function waitUntil(draft: Draft, job: JobRecord, plan: Plan): EpochMs | null {
  if (plan.deadline !== null) return plan.deadline - restoreReserve(draft);
  return job.ready === null ? null : draft.at + Math.max(PATIENCE_MS, job.ready.tookMs * 5);
}

/** How long the restores of all runs with a deadline take, so many at once as may be. Counted once an event. */
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
