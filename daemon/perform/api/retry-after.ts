import type { EpochMs, Millis } from '../../vocabulary/job.ts';
import { RETRY_AFTER_CAP_MS } from './retries.ts';

/**
 * The wait that a `Retry-After` header demands (RFC 9110 §10.2.3: seconds or a date), or null for none that can be
 * read. It is capped, and up to a tenth is added, since every daemon of a cluster gets the same header.
 */
export function retryAfter(header: string | null, now: EpochMs, random: () => number): Millis | null {
  const asked = header === null ? null : parse(header.trim(), now);
  if (asked === null) return null;
  const wait = Math.min(Math.max(asked, 0), RETRY_AFTER_CAP_MS);
  return Math.round(wait * (1 + random() / 10));
}

function parse(header: string, now: EpochMs): Millis | null {
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1_000;
  // Date.parse accepts nearly anything, so it gets only text that looks like an HTTP-date.
  if (!/^[A-Z][a-z]{2,8}, .* GMT$/.test(header)) return null;
  const at = Date.parse(header);
  return Number.isNaN(at) ? null : at - now;
}
