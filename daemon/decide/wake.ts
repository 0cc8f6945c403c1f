import type { EpochMs } from '../vocabulary/job.ts';
import type { Draft } from './draft.ts';
import { tooLateAt } from './evacuation/deadlines.ts';
import { latestStart } from './evacuation/plan-time.ts';
import { passesAt } from './notices/notices-by-hand.ts';

/** The next time at which something changes without an event; null for never. */
export function wakeAt(draft: Draft): EpochMs | null {
  let next = Number.POSITIVE_INFINITY;
  for (const job of draft.jobs.values()) {
    const { heartbeat, plan } = job;
    if (heartbeat.dueAt !== null) next = Math.min(next, heartbeat.dueAt);
    if (plan === null) continue;
    if (plan.waitUntil !== null) next = Math.min(next, plan.waitUntil);
    const late = tooLateAt(plan);
    if (late > draft.at) next = Math.min(next, late);
    // From then on it goes straight to its restore.
    const straightAt = plan.step === 'queued' ? Math.floor(latestStart(draft, job, plan)) + 1 : 0;
    if (straightAt > draft.at) next = Math.min(next, straightAt);
  }
  for (const until of draft.unconfirmed.values()) next = Math.min(next, until);
  for (const { notice } of draft.notices.values()) next = Math.min(next, passesAt(notice));
  return Number.isFinite(next) ? next : null;
}
