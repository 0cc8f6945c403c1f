import type { Log } from '../../system/ports.ts';
import {
  CHECKPOINT_KINDS,
  type CheckpointKind,
  type JobOverride,
  type Millis,
} from '../../vocabulary/job.ts';

const MIN_EVERY: Millis = 10_000;
const MAX_EVERY: Millis = 7 * 24 * 3_600_000;
const UNITS: Readonly<Record<string, Millis>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 24 * 3_600_000 };

/**
 * What the user asked for with `--ckpt-…`, as it comes to Prolog: `SPANK_CKPT_INTERVAL` (`90s`, `15m`, `2h`, `1d`,
 * between 10 s and 7 d), `SPANK_CKPT_KIND` and `SPANK_CKPT_OFF` (1, yes, true, on). A plain number is no interval:
 * Slurm's own options mean minutes by it, and others seconds. A user can put anything there, so a bad value costs
 * that value and a line in the log, and nothing else.
 */
export function readOverride(
  env: Readonly<Record<string, string>>,
  { log, jobId }: { log: Log; jobId: number },
): JobOverride {
  const read = <T>(name: string, parse: (text: string) => T | null, wanted: string): T | null => {
    const text = env[name]?.trim().toLowerCase() ?? '';
    if (text === '') return null;
    const value = parse(text);
    if (value === null) {
      const value = text.slice(0, 100);
      log.warn({ jobId, name, value }, `job ${jobId}: ${name} is ignored: it is not ${wanted}`);
    }
    return value;
  };
  const every = read('SPANK_CKPT_INTERVAL', readEvery, 'a time like 90s, 15m or 2h between 10s and 7d');
  const kind = read('SPANK_CKPT_KIND', readKind, `one of ${CHECKPOINT_KINDS.join(', ')}`);
  const off = read('SPANK_CKPT_OFF', readFlag, '1 or 0');
  return { ...(every !== null && { every }), ...(kind !== null && { kind }), ...(off !== null && { off }) };
}

function readEvery(text: string): Millis | null {
  const [, count, unit] = /^(\d{1,7})\s*([smhd])$/.exec(text) ?? [];
  if (count === undefined || unit === undefined) return null;
  const every = Number(count) * (UNITS[unit] ?? Number.NaN);
  return every >= MIN_EVERY && every <= MAX_EVERY ? every : null;
}

export function readKind(text: string): CheckpointKind | null {
  return CHECKPOINT_KINDS.find((kind) => kind === text) ?? null;
}

function readFlag(text: string): boolean | null {
  if (['1', 'yes', 'true', 'on'].includes(text)) return true;
  return ['0', 'no', 'false', 'off'].includes(text) ? false : null;
}
