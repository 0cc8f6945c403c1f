import { parseDuration } from '../../config/schema/duration.ts';
import { RequestError } from '../../http/reply.ts';
import { cleanText } from '../../system/log/clean-text.ts';
import type { EpochMs, Millis } from '../../vocabulary/job.ts';
import type { NoticeKind } from '../../vocabulary/notice.ts';
import { parseDate } from '../notices/parse-date.ts';

/** A notice by hand, as in the body. At most one of `deadline` and `inMs` is set. */
export interface NoticeWish {
  readonly kind: NoticeKind;
  readonly deadline: EpochMs | null;
  /** The deadline is that far from now. */
  readonly inMs: Millis | null;
  readonly reason: string;
  readonly dryRun: boolean;
}

const KEYS: readonly string[] = ['kind', 'deadline', 'in', 'reason', 'dry_run'];
const LONGEST_REASON = 200;
const FARTHEST: Millis = 30 * 86_400_000;

/**
 * Reads `{kind, deadline? | in?, reason?, dry_run?}`. RequestError 400 for anything else: a notice that is half
 * understood, above all one with a mistyped `dry_run`, would move jobs that should stay.
 */
export function readNoticeBody(body: Readonly<Record<string, unknown>>): NoticeWish {
  const odd = Object.keys(body).find((name) => !KEYS.includes(name));
  if (odd !== undefined) throw bad('notice', `${quoted(odd)} is unknown; known are ${KEYS.join(', ')}`);
  const { kind, deadline = null, in: ahead = null, reason = null, dry_run: dryRun = false } = body;
  if (kind !== 'termination' && kind !== 'rebalance') {
    throw bad('kind', 'kind must be termination or rebalance');
  }
  if (deadline !== null && ahead !== null) throw bad('deadline', 'give deadline or in, not both');
  if (typeof dryRun !== 'boolean') throw bad('dry-run', 'dry_run must be true or false');
  if (reason !== null && typeof reason !== 'string') throw bad('reason', 'reason must be text');
  return {
    kind,
    deadline: deadline === null ? null : readDeadline(deadline),
    inMs: ahead === null ? null : readAhead(ahead),
    reason: cleanText(reason ?? '', LONGEST_REASON),
    dryRun,
  };
}

/** The id of a notice in a URL: 16 hex digits. */
export function readNoticeId(text: string): string {
  if (/^[0-9a-f]{16}$/.test(text)) return text;
  throw new RequestError(404, 'not-found', 'no such notice: its id has 16 hex digits');
}

function readDeadline(value: unknown): EpochMs {
  // The parser also knows the clouds' other forms; people get only this one.
  const at = typeof value === 'string' && /^\d{4}-/.test(value) ? parseDate(value) : null;
  if (at !== null) return at;
  throw bad('deadline', 'deadline must be a time with a zone, such as "2026-09-18T08:22:00Z"');
}

function readAhead(value: unknown): Millis {
  const ahead = typeof value === 'string' ? parseDuration(value) : null;
  if (ahead !== null && ahead <= FARTHEST) return ahead;
  throw bad('in', 'in must be a length of time up to 30d, such as "2m"');
}

function bad(what: string, message: string): RequestError {
  return new RequestError(400, `bad-${what}`, message);
}

function quoted(text: string): string {
  return JSON.stringify(cleanText(text, 40));
}
