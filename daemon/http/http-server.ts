import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Log } from '../system/ports.ts';
import type { Millis } from '../vocabulary/job.ts';
import { onClientError } from './client-error.ts';
import { type Reply, RequestError } from './reply.ts';

/** Counted since the start, but for `open`. */
export interface SocketCounters {
  /** Connections open now. */
  open: number;
  accepted: number;
  /** Turned away at once, because too many were open. */
  dropped: number;
  requests: number;
  /** Answered with a 4xx, or no HTTP at all. */
  bad: number;
  /** Answered with 500. */
  failed: number;
}

export interface HttpServerOptions {
  /** `signal` fires when the client hangs up or the server is closed. A RequestError is the client's, others ours. */
  readonly handle: (request: IncomingMessage, signal: AbortSignal) => Reply | Promise<Reply>;
  readonly errorReply: (error: RequestError) => Reply;
  readonly log: Log;
  /** Time for requests that are under way at the end. */
  readonly closeGraceMs: Millis;
}

/** Not listening yet; to be disposed of by `close` when it is. */
export interface HttpServer {
  readonly server: Server;
  readonly counters: Readonly<SocketCounters>;
  /** Accepts no more, and ends requests under way within the grace. */
  close(): Promise<void>;
}

/**
 * Not `import … from 'node:http'`: that reads every export of the module, `WebSocket` among them, and so loads
 * Node's own undici, http2 and web streams: 14 MB resident (58 against 44.5, Node 24.21) for nothing.
 */
const { createServer } = process.getBuiltinModule('node:http');

const MAX_CONNECTIONS = 128;
/** From the connection to the end of the headers, and to the end of the body. */
const HEADERS_TIMEOUT_MS = 3_000;
const REQUEST_TIMEOUT_MS = 5_000;
/** A client that does not read its answer. */
const ANSWER_TIMEOUT_MS = 5_000;

/**
 * Nothing a client does is an error of the daemon: connections, their headers, bodies and times are bounded, and a
 * connection serves one request, so that none can be held or queued up.
 */
export function httpServer({ handle, errorReply, log, closeGraceMs }: HttpServerOptions): HttpServer {
  const counters: SocketCounters = { open: 0, accepted: 0, dropped: 0, requests: 0, bad: 0, failed: 0 };
  const closing = new AbortController();

  const answer = async (request: IncomingMessage, signal: AbortSignal): Promise<Reply> => {
    try {
      return await handle(request, signal);
    } catch (error) {
      if (error instanceof RequestError) {
        counters.bad += 1;
        return errorReply(error);
      }
      // A client that hung up, before or after its body, is no failure: nobody reads the answer.
      if (!signal.aborted && request.errored === null) {
        counters.failed += 1;
        log.error({ err: error, method: request.method, url: request.url }, 'socket: a request failed');
      }
      return errorReply(new RequestError(500, 'internal', 'the daemon failed on this request: see its log'));
    }
  };

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    counters.requests += 1;
    const hungUp = new AbortController();
    response.once('close', () => hungUp.abort());
    send(response, await answer(request, AbortSignal.any([hungUp.signal, closing.signal])));
  };

  const server = createServer({
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: 500,
    maxHeaderSize: 8 * 1024,
  });
  server.maxConnections = MAX_CONNECTIONS;
  // Node answers pipelined requests after the first one with a 503.
  server.maxRequestsPerSocket = 1;
  server.on('connection', (socket) => {
    counters.accepted += 1;
    counters.open += 1;
    socket.once('close', () => {
      counters.open -= 1;
    });
  });
  server.on('drop', () => {
    counters.dropped += 1;
  });
  server.on('request', (request, response) => void serve(request, response));
  // Node's own answer to an unknown `Expect` keeps the connection open; the header changes nothing here.
  server.on('checkExpectation', (request, response) => void serve(request, response));
  server.on('clientError', (error, socket) => {
    counters.bad += 1;
    onClientError(error, socket);
  });

  async function close(): Promise<void> {
    closing.abort();
    const closed = new Promise((resolve) => server.close(resolve));
    const force = setTimeout(() => server.closeAllConnections(), closeGraceMs);
    await closed;
    clearTimeout(force);
  }
  return { server, counters, close };
}

function send(response: ServerResponse, { status, body, type, headers }: Reply): void {
  if (response.destroyed) return;
  response.socket?.setTimeout(ANSWER_TIMEOUT_MS, () => response.destroy());
  const text = typeof body === 'string' ? body : `${JSON.stringify(body)}\n`;
  // RFC 9110: a 204 has neither.
  const content = { 'Content-Type': type ?? 'application/json', 'Content-Length': Buffer.byteLength(text) };
  response.writeHead(status, {
    // Said here, or Node keeps the connection open for its keep-alive time in spite of maxRequestsPerSocket.
    Connection: 'close',
    ...(status !== 204 && content),
    ...headers,
  });
  response.end(status === 204 ? undefined : text);
}
