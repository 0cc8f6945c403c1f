import type { Server } from 'node:http';
import { type HttpServer, httpServer } from '../../http/http-server.ts';
import { listenAt, SocketError } from '../../http/unix-socket.ts';
import type { Log } from '../../system/ports.ts';
import type { Millis } from '../../vocabulary/job.ts';
import type { EngineConfig } from '../config/config.ts';
import { mustBearToken, readServerToken } from './bearer.ts';
import { answerBy, apiErrorReply, type EngineRoute } from './route.ts';

/** A restore answers once Slurm has accepted the requeue; a stop lets it. Below the lifecycle's own deadline. */
const CLOSE_GRACE_MS: Millis = 20_000;

export interface ServeOptions {
  readonly config: Pick<EngineConfig, 'socket' | 'listen' | 'tokenFile'>;
  /** For everybody. */
  readonly api: readonly EngineRoute[];
  /** For those who can open the Unix socket. */
  readonly plugin: readonly EngineRoute[];
  readonly log: Log;
}

export interface EngineServer extends AsyncDisposable {
  /** Of TCP; null where it is off. */
  readonly port: number | null;
}

/**
 * Serves the Unix socket, and TCP where it is configured.
 * @throws SocketBusyError when another engine serves the socket, SocketError, TokenError
 */
export async function serveEngine({ config, api, plugin, log }: ServeOptions): Promise<EngineServer> {
  const { socket, listen, tokenFile } = config;
  await using opened = new AsyncDisposableStack();
  const shared = { errorReply: apiErrorReply, log, closeGraceMs: CLOSE_GRACE_MS };
  let port: number | null = null;

  if (listen !== null && tokenFile !== null) {
    await readServerToken(tokenFile);
    const tcp = httpServer({
      ...shared,
      async handle(request) {
        await mustBearToken(request.headers.authorization, tokenFile, log);
        return answerBy(api, request);
      },
    });
    port = await listenTcp(tcp.server, listen);
    opened.defer(() => tcp.close());
    watch(tcp, log);
  }
  const all = [...api, ...plugin];
  const unix = httpServer({ ...shared, handle: (request) => answerBy(all, request) });
  const unlink = await listenAt(unix.server, socket);
  opened.defer(() => unix.close());
  opened.defer(unlink);
  watch(unix, log);

  const resources = opened.move();
  return { port, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}

function watch({ server }: HttpServer, log: Log): void {
  server.on('error', (error) => log.error({ err: error }, 'socket: cannot accept a connection'));
}

function listenTcp(server: Server, { host, port }: { host: string; port: number }): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      reject(new SocketError(`cannot listen on ${host} port ${port}: ${error.message}`, { cause: error }));
    });
    server.listen({ host, port }, () => {
      server.removeAllListeners('error');
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}
