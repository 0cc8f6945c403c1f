import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import { DeadlineError, withDeadline } from '../../../system/async/deadline.ts';
import { cleanText } from '../../../system/log/clean-text.ts';
import type { Clock } from '../../../system/ports.ts';
import type { Millis } from '../../../vocabulary/job.ts';
import { parseHttpDate } from '../parse-date.ts';

export interface MetadataRequest {
  readonly method?: 'GET' | 'PUT' | 'POST';
  /** With its query; appended to the endpoint. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** For the whole request, from connecting to the last byte of the answer. */
  readonly timeoutMs: Millis;
}

/** The result of one request; a message is fit for a log. */
export type MetadataResult =
  | {
      readonly type: 'answer';
      readonly status: number;
      readonly body: string;
      readonly etag: string | null;
      /** How far the host's clock is ahead of the server's; 0 within the error of measurement. */
      readonly hostAhead: Millis;
    }
  | { readonly type: 'failure'; readonly message: string; readonly timeout?: boolean };

export interface MetadataClient {
  /** Rejects only with the signal's reason. */
  ask(request: MetadataRequest, signal: AbortSignal): Promise<MetadataResult>;
}

/** The longest body. The longest real one is a list of scheduled events: a few KiB. */
const MOST_BYTES = 64 * 1024;
/** `Date` counts whole seconds, and answers take time: a smaller difference is no skew. */
const LEAST_SKEW: Millis = 5_000;

/**
 * A client for metadata services; anything may answer at that address. It follows no redirects and uses no proxy (the
 * service is on this host's link). Each request has a connection of its own: at one request every other second a kept
 * one saves little, and would be found dead just when it counts.
 *
 * Node's own client and not undici's: the daemon serves its socket with `node:http` anyway, so this costs nothing.
 */
export function metadataClient(endpoint: string, clock: Clock): MetadataClient {
  const start = requester(endpoint);
  return {
    ask: ({ method = 'GET', path, headers = {}, body, timeoutMs }, signal) =>
      withDeadline(
        timeoutMs,
        signal,
        (limited) =>
          new Promise((resolve, reject) => {
            if (limited.aborted) return reject(limited.reason);
            const request = start(`${endpoint}${path}`, {
              method,
              headers: {
                'user-agent': 'ckptd',
                ...headers,
                ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
              },
            });
            const end = (settle: () => void) => {
              limited.removeEventListener('abort', onAbort);
              settle();
              request.destroy();
            };
            const fail = (message: string) => end(() => resolve({ type: 'failure', message }));
            const late = {
              type: 'failure',
              message: `no answer within ${timeoutMs} ms`,
              timeout: true,
            } as const;
            const onAbort = () =>
              end(() => (limited.reason instanceof DeadlineError ? resolve(late) : reject(limited.reason)));
            limited.addEventListener('abort', onAbort, { once: true });
            // Stays: an error after the end concerns nobody, and must not end the process.
            request.on('error', (error: NodeJS.ErrnoException) => fail(describe(error)));
            request.on('response', (response) =>
              read(response, fail, (text) => end(() => resolve(answerOf(response, text, clock)))),
            );
            request.end(body);
          }),
      ),
  };
}

function read(response: IncomingMessage, fail: (message: string) => void, done: (body: string) => void) {
  const chunks: Buffer[] = [];
  let bytes = 0;
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= MOST_BYTES) chunks.push(chunk);
    else fail(`HTTP ${response.statusCode} with more than ${MOST_BYTES} bytes`);
  });
  response.on('error', () => fail(`HTTP ${response.statusCode}, but the answer broke off`));
  response.on('end', () => done(Buffer.concat(chunks).toString('utf8')));
}

function answerOf(response: IncomingMessage, body: string, clock: Clock): MetadataResult {
  const { etag, date } = response.headers;
  const serverTime = date === undefined ? null : parseHttpDate(date);
  const ahead = serverTime === null ? 0 : clock.now() - serverTime;
  return {
    type: 'answer',
    status: response.statusCode ?? 0,
    body,
    etag: etag ?? null,
    hostAhead: Math.abs(ahead) < LEAST_SKEW ? 0 : ahead,
  };
}

type Requester = (url: string, options: RequestOptions) => ClientRequest;

/** `getBuiltinModule` and not an import, for the reason in `http/http-server.ts`; TLS only if it is needed. */
function requester(endpoint: string): Requester {
  const http = process.getBuiltinModule(endpoint.startsWith('https:') ? 'node:https' : 'node:http');
  // An agent of our own ignores the proxy variables of the environment.
  const agent = new http.Agent({ keepAlive: false });
  return (url, options) => http.request(url, { ...options, agent });
}

function describe(error: NodeJS.ErrnoException): string {
  const text = cleanText(error.message, 200);
  return error.code === undefined || text.includes(error.code) ? text : `${text} (${error.code})`;
}
