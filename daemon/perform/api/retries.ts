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
    /** Nothing is there: each call decides what that means. */
    | 'not-found'
    /** A retry gives the same answer. */
    | 'final';
  /** Whether the server may have acted on the request in spite of this answer. */
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
  /** The server gave up waiting for the request. */
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

/**
 * The rule of a status: the table's, else by its class. 2xx: accepted; redirects, other 4xx: final; 5xx: a gateway's.
 */
export function statusRule(status: number): StatusRule {
  if (status >= 200 && status < 300) return { reaction: 'accepted', acted: 'no' };
  return STATUS_RULES[status] ?? (status >= 500 ? GATEWAY : FINAL);
}

/** Waits between attempts. */
export const BACKOFF = { baseMs: 500, capMs: 30_000 } as const;
/** The longest wait that a server can demand. */
export const RETRY_AFTER_CAP_MS: Millis = 120_000;
/** A 404 to a checkpoint often means *not registered yet*; Cedana's own client waits as long (facts/cedana-api.md). */
export const NOT_FOUND = { everyMs: 3_000, forMs: 40_000 } as const;
/** Polls of a checkpoint's status. */
export const POLL = { baseMs: 250, capMs: 5_000 } as const;
/** Retries while the server refuses our token. */
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
 * Waits as long as the trouble has lasted already, within bounds. That doubles each time, however many calls share the
 * trouble. A random fifth is added or taken off.
 */
export function credentialsWait(troubleMs: Millis, random: () => number): Millis {
  const wait = Math.min(Math.max(troubleMs, CREDENTIALS_WAIT.minMs), CREDENTIALS_WAIT.maxMs);
  return Math.round(wait * (0.8 + 0.4 * random()));
}
