import type { JobId, Millis } from '../../vocabulary/job.ts';

/**
 * A job's fixed place in `[0, width)`: neighbouring job ids land far apart, and every daemon and every restart
 * finds the same place. (The 32-bit finalizer of MurmurHash3.)
 */
export function splayOf(jobId: JobId, width: Millis): Millis {
  let h = jobId >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  h = (h ^ (h >>> 16)) >>> 0;
  return Math.floor((h / 2 ** 32) * width);
}
