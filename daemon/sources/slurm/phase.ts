import type { EpochMs, Millis } from '../../vocabulary/job.ts';

/**
 * The next moment after `now` of a node's own beat of `period`. The beat's place is a hash of the node's name:
 * a thousand daemons that start together, or that saw slurmctld come back together, still ask one by one.
 */
export function nextBeat(node: string, period: Millis, now: EpochMs): EpochMs {
  const phase = Math.floor((hash(node) / 2 ** 32) * period);
  return Math.floor((now - phase) / period) * period + period + phase;
}

/** FNV-1a with the finalizer of MurmurHash3, since names that differ in the last digit would stay neighbours. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (const byte of Buffer.from(text)) h = Math.imul(h ^ byte, 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
