import type { EpochMs } from '../../vocabulary/job.ts';

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const ISO =
  /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?:(Z)|([+-])(\d\d):?(\d\d))$/i;
const RFC_1123 = /^(?:[a-z]{3}, ?)?(\d{1,2}) ([a-z]{3}) (\d{4}) (\d\d):(\d\d):(\d\d) (?:GMT|UTC|[+-]0000)$/i;
const LONGEST = 64;

/**
 * A time as metadata services write it: ISO 8601 with a zone, RFC 1123 (Azure), or RFC 1123 without the day of the
 * week (EC2's `21 Jan 2026 09:00:43 GMT`). Null for everything else: `Date.parse` would find a time in almost any
 * text, take one without a zone for local, and the 31st of February for the 3rd of March.
 */
export function parseDate(text: string): EpochMs | null {
  const short = text.length <= LONGEST ? text.trim() : '';
  return parseIso(short) ?? parseHttpDate(short);
}

/** RFC 1123, as in the header `Date`; the name of the day is ignored. */
export function parseHttpDate(text: string): EpochMs | null {
  const parts = text.length <= LONGEST ? RFC_1123.exec(text) : null;
  if (parts === null) return null;
  const [, day, month = '', year, hour, minute, second] = parts;
  return timeOf([year, MONTHS.indexOf(month.toLowerCase()) + 1, day, hour, minute, second].map(Number), 0);
}

function parseIso(text: string): EpochMs | null {
  const parts = ISO.exec(text);
  if (parts === null) return null;
  const [, year, month, day, hour, minute, second = '0', fraction = '', , sign, aheadHours, aheadMinutes] =
    parts;
  const at = timeOf(
    [year, month, day, hour, minute, second].map(Number),
    Number(`0.${fraction || 0}`) * 1000,
  );
  if (at === null || sign === undefined) return at;
  const [hours, minutes] = [Number(aheadHours), Number(aheadMinutes)];
  if (hours > 23 || minutes > 59) return null;
  return at - (hours * 60 + minutes) * 60_000 * (sign === '-' ? -1 : 1);
}

/** Null where the calendar or the clock has no such time. */
function timeOf(parts: readonly number[], milliseconds: number): EpochMs | null {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts;
  // A leap second counts as the last second of its minute.
  const at = Date.UTC(year, month - 1, day, hour, minute, Math.min(second, 59), Math.floor(milliseconds));
  const date = new Date(at);
  const real =
    date.getUTCFullYear() === year &&
    date.getUTCMonth() === month - 1 &&
    date.getUTCDate() === day &&
    date.getUTCHours() === hour &&
    date.getUTCMinutes() === minute &&
    second <= 60;
  return real ? at : null;
}

/** True if the text is meant as a time. Then there is a notice, even if its time cannot be read. */
export function looksLikeDate(text: string): boolean {
  const short = text.trim();
  return (
    short.length <= LONGEST &&
    /^[\w .,:/+-]+$/.test(short) &&
    /(?:19|20|21)\d\d/.test(short) &&
    /\d\d?:\d\d/.test(short)
  );
}
