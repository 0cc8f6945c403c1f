import type { Millis } from '../../vocabulary/job.ts';

const UNITS = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000, ms: 1 } as const;

/** A whole number, as long as its milliseconds stay exact, and its unit. Also the pattern of `config/schema.json`, so it has no flags. */
export const DURATION = /^[0-9]{1,8}(ms|s|m|h|d)$/;

/** `90s` → 90000. Null where the text is no duration. */
export function parseDuration(text: string): Millis | null {
  if (!DURATION.test(text)) return null;
  const unit = text.replace(/^[0-9]+/, '') as keyof typeof UNITS;
  return Number.parseInt(text, 10) * UNITS[unit];
}

/** 90000 → `90s`, 120000 → `2m`: the largest unit that needs no fraction. Takes whole milliseconds from 0. */
export function formatDuration(length: Millis): string {
  if (length === 0) return '0s';
  const [unit, size] = Object.entries(UNITS).find(([, size]) => length % size === 0)!;
  return `${length / size}${unit}`;
}
