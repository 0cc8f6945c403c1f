import type { IncomingHttpHeaders } from 'node:http';
import { DeadlineError, withDeadline } from '../../../system/async/deadline.ts';
import { cleanText } from '../../../system/log/clean-text.ts';
import type { Millis } from '../../../vocabulary/job.ts';
import { errorCode, type FailureKind, failureKind } from './failure.ts';
import type { Connection, Pool } from './pool.ts';

export interface ExchangeRequest {
  readonly method: 'GET' | 'POST';
  /** Path with the endpoint's prefix. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  /** More of an answer than this is not read: the answer is cut, and not `whole`. */
  readonly maxBytes: number;
  /** For all of it, from making the connection to the last byte of the answer. */
  readonly timeoutMs: Millis;
}

/** What came of one request. */
export type Exchange =
  | {
      readonly type: 'answer';
      readonly status: number;
      readonly retryAfter: string | null;
      readonly body: string;
      /** False when the body was cut: by our bound, by a time limit, by the other side. */
      readonly whole: boolean;
    }
  | {
      readonly type: 'failure';
      readonly kind: FailureKind;
      /** Whether any part of the request may have left this machine for the API. */
      readonly written: boolean;
      readonly message: string;
    };

/**
 * Sends one request and reads its answer. Redirects are not followed. Rejects only with the signal's reason, and
 * then the connection is gone.
 */
export async function exchange(pool: Pool, request: ExchangeRequest, signal: AbortSignal): Promise<Exchange> {
  return withDeadline(request.timeoutMs, signal, (limited) => exchangeOver(pool, request, limited));
}

async function exchangeOver(pool: Pool, request: ExchangeRequest, signal: AbortSignal): Promise<Exchange> {
  try {
    return await pool.use(signal, async (connection) => {
      signal.throwIfAborted();
      const result = await send(connection, request, signal);
      return { result, reusable: result.type === 'answer' && result.whole };
    });
  } catch (error) {
    // Only the wait for a connection ends here: once one is taken, `send` knows more.
    if (!(error instanceof DeadlineError)) throw error;
    return { type: 'failure', kind: 'timeout', written: false, message: 'no connection was free in time' };
  }
}

function send(connection: Connection, request: ExchangeRequest, signal: AbortSignal): Promise<Exchange> {
  return new Promise((resolve, reject) => {
    let written = false;
    let status = 0;
    let headers: IncomingHttpHeaders = {};
    const chunks: Buffer[] = [];
    let bytes = 0;

    const finish = (settle: () => void) => {
      signal.removeEventListener('abort', onAbort);
      settle();
    };
    const answer = (whole: boolean) => {
      const retryAfter = headers['retry-after'];
      const body = Buffer.concat(chunks).toString('utf8');
      finish(() =>
        resolve({
          type: 'answer',
          status,
          retryAfter: typeof retryAfter === 'string' ? retryAfter : null,
          body,
          whole,
        }),
      );
    };
    /** With a status the server has spoken, however its body ended. */
    const fail = (kind: FailureKind, message: string) => {
      if (status !== 0) answer(false);
      else finish(() => resolve({ type: 'failure', kind, written, message }));
    };
    const onAbort = () => {
      if (signal.reason instanceof DeadlineError) fail('timeout', `no answer within ${request.timeoutMs} ms`);
      else finish(() => reject(signal.reason));
    };
    signal.addEventListener('abort', onAbort, { once: true });

    connection.client.dispatch(
      { method: request.method, path: request.path, headers: { ...request.headers }, body: request.body },
      {
        // Called when a connection is there and the first byte is about to be written, not before.
        onRequestStart() {
          written = true;
        },
        onResponseStart(_controller, statusCode, received) {
          if (statusCode < 200) return;
          status = statusCode;
          headers = received;
        },
        onResponseData(_controller, chunk) {
          bytes += chunk.length;
          if (bytes <= request.maxBytes) chunks.push(chunk);
          else answer(false);
        },
        onResponseEnd() {
          answer(true);
        },
        onResponseError(_controller, error) {
          fail(failureKind(error), describe(error));
        },
      },
    );
  });
}

/** The error in words, without its cause or fields: they may hold more than a log should. */
function describe(error: Error): string {
  const code = errorCode(error);
  const text = cleanText(error.message, 200);
  return text.includes(code) ? text : `${text} (${code})`;
}
