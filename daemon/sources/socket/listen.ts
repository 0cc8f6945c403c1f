import { readObject } from '../../http/body.ts';
import { httpServer, type SocketCounters } from '../../http/http-server.ts';
import { errorReply } from '../../http/reply.ts';
import { findRoute } from '../../http/router.ts';
import { listenAt } from '../../http/unix-socket.ts';
import type { Log } from '../../system/ports.ts';
import type { SocketHandlers } from './handlers.ts';
import { ROUTES } from './routes.ts';

export type { SocketCounters };

export interface ListenOptions {
  /** Absolute; a missing folder is created (0755). */
  readonly path: string;
  readonly mode: number;
  /** Name or number; null leaves the daemon's own. */
  readonly group: string | null;
  readonly handlers: SocketHandlers;
  readonly log: Log;
}

export interface SocketServer extends AsyncDisposable {
  readonly counters: Readonly<SocketCounters>;
}

/** Time for requests that are under way at the end. */
const CLOSE_GRACE_MS = 1_000;

/**
 * Serves the socket until it is disposed of. Then it accepts no more, gives requests under way a second, and removes
 * the path if it is still its own. Throws SocketBusyError or SocketError, or the system's own.
 */
export async function listen({ path, mode, group, handlers, log }: ListenOptions): Promise<SocketServer> {
  const { server, counters, close } = httpServer({
    log,
    errorReply,
    closeGraceMs: CLOSE_GRACE_MS,
    handle(request, signal) {
      const [pathname = '', query = ''] = (request.url ?? '').split('?', 2);
      const { route, id } = findRoute(ROUTES, request.method ?? '', pathname);
      const body = () => readObject(request);
      return route.handle({ id, query: new URLSearchParams(query), body, signal, handlers, log });
    },
  });
  const unlink = await listenAt(server, { path, mode, group });
  server.on('error', (error) => log.error({ err: error, path }, 'socket: cannot accept a connection'));

  let closed: Promise<void> | undefined;
  return {
    counters,
    [Symbol.asyncDispose]: () => {
      if (closed === undefined) unlink();
      closed ??= close();
      return closed;
    },
  };
}
