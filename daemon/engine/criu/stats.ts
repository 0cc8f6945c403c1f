import { fieldOf, readFields } from './images/protobuf.ts';

/** How long a dump held the job up, in microseconds. */
export interface DumpStats {
  readonly freezingUs: number;
  readonly frozenUs: number;
}

/** Of criu/include/magic.h: an image of the first generation, and what is in this one. */
const IMG_SERVICE_MAGIC = 0x55105940;
const STATS_MAGIC = 0x57093306;
/** The image is some sixty bytes long. */
const LONGEST = 4096;

/**
 * CRIU's `stats-dump`: two magic numbers, a length, and one message `StatsEntry` of images/stats.proto. Null for
 * anything else.
 */
export function parseDumpStats(image: Buffer): DumpStats | null {
  if (image.length < 12 || image.length > LONGEST) return null;
  if (image.readUInt32LE(0) !== IMG_SERVICE_MAGIC || image.readUInt32LE(4) !== STATS_MAGIC) return null;
  const entry = image.subarray(12);
  if (entry.length !== image.readUInt32LE(8)) return null;
  const dump = fieldOf(readFields(entry), 1);
  const times = dump instanceof Buffer ? readFields(dump) : null;
  const [freezingUs, frozenUs] = [fieldOf(times, 1), fieldOf(times, 2)];
  return isCount(freezingUs) && isCount(frozenUs) ? { freezingUs, frozenUs } : null;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value);
}
