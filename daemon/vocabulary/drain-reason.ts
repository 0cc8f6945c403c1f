import type { EpochMs } from './job.ts';
import type { Notice } from './notice.ts';

/** How the reason of every drain begins that a ckptd sets; the daemons of other nodes know it by that. */
const PREFIX = 'ckptd: termination notice ';
const MAX_SOURCE = 64;

/**
 * The reason of the drain that a notice leads to, in ASCII and without quotes:
 * `ckptd: termination notice ec2/spot, deadline 2026-09-18T08:22:00Z`, or `…, no deadline`.
 */
export function drainReason({ source, deadline }: Pick<Notice, 'source' | 'deadline'>): string {
  const who = source.replaceAll(/[^A-Za-z0-9/_.-]/g, '_').slice(0, MAX_SOURCE);
  return `${PREFIX}${who}, ${deadline === null ? 'no deadline' : `deadline ${toSeconds(deadline)}`}`;
}

/** What the reason of a drain says of a termination; null: no ckptd set it. Reasons are anybody's text. */
export function readDrainReason(reason: string): { readonly deadline: EpochMs | null } | null {
  if (!reason.startsWith(PREFIX)) return null;
  const [, text = ''] = /, deadline (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)$/.exec(reason.slice(0, 200)) ?? [];
  const deadline = Date.parse(text);
  return { deadline: Number.isNaN(deadline) ? null : deadline };
}

/** Earlier by less than a second: a reason is for people. */
function toSeconds(at: EpochMs): string {
  const date = new Date(at);
  // Outside of what a Date holds, or of four digits of a year, is no time that a provider means.
  if (Number.isNaN(date.getTime()) || date.getUTCFullYear() > 9999 || date.getUTCFullYear() < 0)
    return '9999-12-31T23:59:59Z';
  return `${date.toISOString().slice(0, 19)}Z`;
}
