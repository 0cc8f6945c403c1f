import type { EpochMs } from '../vocabulary/job.ts';

/** Deadlines are outsiders' numbers; a Date holds 8.64e15 ms. */
export function iso(at: EpochMs | null): string | null {
  return at === null || !(Math.abs(at) <= 8.64e15) ? null : new Date(at).toISOString();
}
