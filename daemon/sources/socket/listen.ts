import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Log } from '../../system/ports.ts';
import { readObject } from './body.ts';
import { onClientError } from './client-error.ts';
import { findRoute } from './dispatch.ts';
import type { SocketHandlers } from './handlers.ts';
import { errorReply, type Reply, RequestError } from './reply.ts';
import { ROUTES } from './routes.ts';
import { listenAt } from './socket-file.ts';

export interface ListenOptions {
  /** Absolute; its folder is made (0755) where it is missing. */
  readonly path: string;
  readonly mode: number;
  /** Name or number; null leaves the daemon's own. */
  readonly group: string | null;
  readonly handlers: SocketHandlers;
  readonly log: Log;
}

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

export interface SocketServer extends AsyncDisposable {
  readonly counters: Readonly<SocketCounters>;
}

/**
 * Not `import … from 'node:http'`: that reads every export of the module, `WebSocket` among them, and so loads
 * Node's own undici, http2 and web streams: 14 MB resident (58 against 44.5, Node 24.21) for nothing.
 */
const { createServer } = process.getBuiltinModule('node:http');

const MAX_CONNECTIONS = 128;
/** From connecting to the end of the headers, and of the body. */
const HEADERS_TIMEOUT_MS = 3_000;
const REQUEST_TIMEOUT_MS = 5_000;
/** A client that does not read its answer. */
const ANSWER_TIMEOUT_MS = 5_000;
/** What is under way at the end gets this long. */
const CLOSE_GRACE_MS = 1_000;

/**
 * Serves the socket until it is disposed of: then it stops to accept, gives what is under way a second, and takes
 * the path away if it is still its own. Throws SocketBusyError or SocketError, or the system's own.
 *
 * Nothing a client does is an error of the daemon: connections, their headers, bodies and times are bounded, and a
 * connection serves one request, so that none can be held or queued up.
 */
export async function listen({ path, mode, group, handlers, log }: ListenOptions): Promise<SocketServer> {
  const counters: SocketCounters = { open: 0, accepted: 0, dropped: 0, requests: 0, bad: 0, failed: 0 };
  const closing = new AbortController();

  const answer = async (request: IncomingMessage, signal: AbortSignal): Promise<Reply> => {
    const [pathname = '', query = ''] = (request.url ?? '').split('?', 2);
    try {
      const { route, id } = findRoute(ROUTES, request.method ?? '', pathname);
      const call = {
        id,
        query: new URLSearchParams(query),
        body: () => readObject(request),
        signal,
        handlers,
        log,
      };
      return await route.handle(call);
    } catch (error) {
      if (error instanceof RequestError) {
        counters.bad += 1;
        return errorReply(error);
      }
      // Of a client that hung up, before or after its body was there, nothing failed and nobody reads the answer.
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
  // What is pipelined behind the first one gets a 503 from Node.
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
  const unlink = await listenAt(server, { path, mode, group });
  server.on('error', (error) => log.error({ err: error, path }, 'socket: cannot accept a connection'));

  const close = async (): Promise<void> => {
    closing.abort();
    unlink();
    const closed = new Promise((resolve) => server.close(resolve));
    const force = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS);
    await closed;
    clearTimeout(force);
  };
  let closed: Promise<void> | undefined;
  return {
    counters,
    [Symbol.asyncDispose]: () => {
      closed ??= close();
      return closed;
    },
  };
}

function send(response: ServerResponse, { status, body, type, headers }: Reply): void {
  if (response.destroyed) return;
  response.socket?.setTimeout(ANSWER_TIMEOUT_MS, () => response.destroy());
  const text = typeof body === 'string' ? body : `${JSON.stringify(body)}\n`;
  response.writeHead(status, {
    // Said here, or Node keeps the connection open for its keep-alive time in spite of maxRequestsPerSocket.
    Connection: 'close',
    'Content-Type': type ?? 'application/json',
    'Content-Length': Buffer.byteLength(text),
    ...headers,
  });
  response.end(text);
}
