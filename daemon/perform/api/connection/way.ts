import { type Socket, connect as tcpConnect } from 'node:net';
import type { Endpoint } from './endpoint.ts';
import type { HttpProxy } from './proxy.ts';
import { openTls, settled } from './socket.ts';
import type { Trust } from './trust.ts';
import { openTunnel } from './tunnel.ts';

/** How the API is reached. */
export interface Way {
  readonly endpoint: Endpoint;
  readonly proxy: HttpProxy | null;
  readonly trust: Trust;
}

/**
 * Opens a connection to the API that is ready for HTTP. There is no time limit here: the signal is the limit,
 * and leaves no socket behind. Rejects with the socket's own error, or with the signal's reason.
 */
export async function openSocket(way: Way, signal: AbortSignal): Promise<Socket> {
  const { target } = way.endpoint;
  if (target.type === 'unix') return settled(tcpConnect({ path: target.path }), 'connect', signal);
  if (!target.tls) return settled(tcpConnect({ host: target.host, port: target.port }), 'connect', signal);
  const through = way.proxy === null ? null : await openTunnel(way.proxy, target, way.trust, signal);
  return openTls(target.host, target.port, through, way.trust, signal);
}
