import type { DatabaseSync } from 'node:sqlite';
import type { EpochMs, Millis } from '../vocabulary/job.ts';

const MAX_AGE: Millis = 30 * 24 * 3_600_000;
export const MAX_HISTORY = 50_000;
/** Settled effects are what keeps a decision that is made twice from being performed twice. */
export const MAX_SETTLED = 20_000;

/** Deletes what is too old or too much: history lines, and effects that are settled. Unsettled effects stay. */
export function deleteOld(db: DatabaseSync, now: EpochMs): void {
  const before = now - MAX_AGE;
  db.prepare(
    'DELETE FROM history WHERE at < ? OR seq <= (SELECT seq FROM history ORDER BY seq DESC LIMIT 1 OFFSET ?)',
  ).run(before, MAX_HISTORY);
  db.prepare(
    `DELETE FROM effect WHERE settled_at IS NOT NULL AND (settled_at < ? OR seq IN (
       SELECT seq FROM effect WHERE settled_at IS NOT NULL ORDER BY settled_at DESC LIMIT -1 OFFSET ?))`,
  ).run(before, MAX_SETTLED);
}
