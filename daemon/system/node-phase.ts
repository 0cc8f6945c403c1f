import type { EpochMs, Millis } from '../vocabulary/job.ts';

/**
 * The next time after `now` in a node's own rhythm of `period`. Its phase is a hash of the node's name, so a thousand
 * daemons that start together, or that see slurmctld come back together, still query one by one.
 */
export function nextBeat(node: string, period: Millis, now: EpochMs): EpochMs {
  const phase = Math.floor(placeOf(node) * period);
  return Math.floor((now - phase) / period) * period + period + phase;
}

/** Work that is not urgent is delayed by up to this at a start: all nodes of a cluster may start in one moment. */
const STARTS_WITHIN: Millis = 30_000;

/** The first time, after a start, for something that a node does every `period`. */
export function firstBeat(node: string, period: Millis, now: EpochMs): EpochMs {
  return nextBeat(node, Math.min(period, STARTS_WITHIN), now);
}

/** A node's own phase in `[0, 1)`. */
export function placeOf(node: string): number {
  return hash(node) / 2 ** 32;
}

/** FNV-1a with the finalizer of MurmurHash3; without it, names that differ in the last digit get close values. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (const byte of Buffer.from(text)) h = Math.imul(h ^ byte, 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
