import type { EpochMs } from '../vocabulary/job.ts';
import type { Draft } from './draft.ts';

/** When time alone changes something next. */
export function wakeAt(draft: Draft): EpochMs | null {
  let next = Number.POSITIVE_INFINITY;
  for (const { heartbeat, plan } of draft.jobs.values()) {
    if (heartbeat.dueAt !== null) next = Math.min(next, heartbeat.dueAt);
    if (plan !== null && plan.waitUntil !== null) next = Math.min(next, plan.waitUntil);
  }
  return Number.isFinite(next) ? next : null;
}
