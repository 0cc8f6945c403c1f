import { backoff } from '../../system/async/backoff.ts';
import type { Millis } from '../../vocabulary/job.ts';

/** What an answer's status means for the request. */
export interface StatusRule {
  readonly reaction:
    | 'accepted'
    /** Ask again later. */
    | 'retry'
    /** Read the token again. */
    | 'credentials'
    /** Nothing there: each call has its own way with that. */
    | 'not-found'
    /** Asking again gives the same answer. */
    | 'final';
  /** Whether the server may have acted on the request although it did not say so. */
  readonly acted: 'no' | 'maybe';
}

const RETRY: StatusRule = { reaction: 'retry', acted: 'no' };
const FINAL: StatusRule = { reaction: 'final', acted: 'no' };
/** A gateway gave up on a server behind it that may still be at work. */
const GATEWAY: StatusRule = { reaction: 'retry', acted: 'maybe' };
const CREDENTIALS: StatusRule = { reaction: 'credentials', acted: 'no' };

const STATUS_RULES: Readonly<Record<number, StatusRule>> = {
  401: CREDENTIALS,
  403: CREDENTIALS,
  404: { reaction: 'not-found', acted: 'no' },
  /** The server got tired of waiting for the request. */
  408: RETRY,
  425: RETRY,
  429: RETRY,
  /** The API says that it failed; a gateway would say 502. */
  500: RETRY,
  501: FINAL,
  502: GATEWAY,
  503: RETRY,
  504: GATEWAY,
  505: FINAL,
  507: RETRY,
};

/** The table's row, or the row of the class: 2xx accepted, redirects and other 4xx final, other 5xx a gateway's own. */
export function statusRule(status: number): StatusRule {
  if (status >= 200 && status < 300) return { reaction: 'accepted', acted: 'no' };
  return STATUS_RULES[status] ?? (status >= 500 ? GATEWAY : FINAL);
}

/** Waits between attempts. */
export const BACKOFF = { baseMs: 500, capMs: 30_000 } as const;
/** A server cannot put us off for longer than this. */
export const RETRY_AFTER_CAP_MS: Millis = 120_000;
/** A 404 to a checkpoint often means *not registered yet*: as patient as Cedana's own client (facts/cedana-api.md). */
export const NOT_FOUND = { everyMs: 3_000, forMs: 40_000 } as const;
/** Polls of a checkpoint's status. */
export const POLL = { baseMs: 250, capMs: 5_000 } as const;
/** Retries while the server does not take our token. */
export const CREDENTIALS_WAIT = { minMs: 60_000, maxMs: 600_000 } as const;

/** Between two attempts at a call. */
export function attemptWait(attempt: number, random: () => number): Millis {
  return backoff(attempt, random(), BACKOFF.baseMs, BACKOFF.capMs);
}

/** Between two polls of a checkpoint's status. */
export function pollWait(poll: number, random: () => number): Millis {
  return backoff(poll, random(), POLL.baseMs, POLL.capMs);
}

/**
 * As long as the trouble has lasted already, within bounds: that doubles, however many calls share the trouble.
 * A fifth either way.
 */
export function credentialsWait(troubleMs: Millis, random: () => number): Millis {
  const wait = Math.min(Math.max(troubleMs, CREDENTIALS_WAIT.minMs), CREDENTIALS_WAIT.maxMs);
  return Math.round(wait * (0.8 + 0.4 * random()));
}
