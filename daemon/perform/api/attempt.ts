import type { Clock } from '../../system/ports.ts';
import type { Millis } from '../../vocabulary/job.ts';
import { errorMessage } from './answer.ts';
import { type Exchange, exchange } from './connection/exchange.ts';
import type { Pool } from './connection/pool.ts';
import type { Counters, Route } from './counters.ts';
import type { Credentials } from './credentials.ts';
import { statusRule } from './retries.ts';
import { retryAfter } from './retry-after.ts';

export interface Call {
  readonly route: Route;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly json: object | null;
  readonly maxBytes: number;
  readonly timeoutMs: Millis;
}

/** The result of one attempt at a call; messages are fit for a log. */
export type Attempt =
  | { readonly type: 'answered'; readonly status: number; readonly body: string }
  | { readonly type: 'not-found'; readonly status: 404; readonly message: string }
  /** A final refusal. */
  | { readonly type: 'refused'; readonly status: number; readonly message: string }
  | {
      readonly type: 'failed';
      /** Whether the server may have acted on the request. */
      readonly acted: 'no' | 'maybe';
      /** The pause that the server, or the state of the token, demands. */
      readonly afterMs: Millis | null;
      readonly message: string;
    };

export interface AttemptDeps {
  readonly pool: Pool;
  readonly basePath: string;
  readonly credentials: Credentials;
  readonly counters: Counters;
  readonly clock: Clock;
  readonly random: () => number;
}

/**
 * Makes one attempt at a call, or two if the server refused the token and there is a new one. Rejects only with the
 * signal's reason.
 */
export async function attempt(deps: AttemptDeps, call: Call, signal: AbortSignal): Promise<Attempt> {
  try {
    const first = await deps.credentials.current();
    const result = await sendOnce(deps, call, first, signal);
    if (result !== 'credentials') return result;
    if (!(await deps.credentials.replaced(first))) return locked(deps, call, first);
    const second = await deps.credentials.current();
    const again = await sendOnce(deps, call, second, signal);
    return again === 'credentials' ? locked(deps, call, second) : again;
  } catch (error) {
    if (signal.aborted || !(error instanceof Error && error.name === 'TokenError')) throw error;
    deps.counters.failed(call.route, 'token');
    return failed('no', deps.credentials.trouble(error.message), error.message);
  }
}

async function sendOnce(
  deps: AttemptDeps,
  call: Call,
  token: string | null,
  signal: AbortSignal,
): Promise<Attempt | 'credentials'> {
  const result = await exchange(
    deps.pool,
    {
      method: call.method,
      path: `${deps.basePath}${call.path}`,
      headers: {
        accept: 'application/json, text/plain',
        'user-agent': 'ckptd',
        ...(call.json === null ? {} : { 'content-type': 'application/json' }),
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      },
      body: call.json === null ? null : JSON.stringify(call.json),
      maxBytes: call.maxBytes,
      timeoutMs: call.timeoutMs,
    },
    signal,
  );
  if (result.type === 'failure') {
    deps.counters.failed(call.route, result.kind);
    return failed(result.written ? 'maybe' : 'no', null, `${result.kind}: ${result.message}`);
  }
  deps.counters.answered(call.route, result.status);
  return read(deps, result, token);
}

function read(
  deps: AttemptDeps,
  answer: Exchange & { type: 'answer' },
  token: string | null,
): Attempt | 'credentials' {
  const { status } = answer;
  const { reaction, acted } = statusRule(status);
  if (reaction === 'credentials') return 'credentials';
  // A server may quote the token that it was sent.
  const body = token === null ? answer.body : answer.body.replaceAll(token, '[token]');
  if (reaction !== 'retry') deps.credentials.accepted();
  if (reaction === 'accepted') {
    if (answer.whole) return { type: 'answered', status, body };
    return failed('maybe', null, `HTTP ${status}, but the answer broke off or is too long`);
  }
  const message = errorMessage(status, body);
  if (reaction === 'not-found') return { type: 'not-found', status: 404, message };
  if (reaction === 'final') return { type: 'refused', status, message };
  return failed(acted, retryAfter(answer.retryAfter, deps.clock.now(), deps.random), message);
}

function locked(deps: AttemptDeps, call: Call, token: string | null): Attempt {
  const message =
    token === null ? 'the API wants a token, and none is configured' : 'the API refuses the token';
  deps.counters.failed(call.route, 'token');
  return failed('no', deps.credentials.trouble(message), message);
}

function failed(acted: 'no' | 'maybe', afterMs: Millis | null, message: string): Attempt {
  return { type: 'failed', acted, afterMs, message };
}
