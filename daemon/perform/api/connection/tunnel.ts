import { isIP, type Socket, connect as tcpConnect } from 'node:net';
import type { HttpProxy } from './proxy.ts';
import { openTls, settled } from './socket.ts';
import type { Trust } from './trust.ts';

/** The proxy answered, and would not carry the connection. Nothing reached the API. */
export class ProxyError extends Error {
  override readonly name = 'ProxyError';
}

/**
 * Asks the proxy for a connection to `to` (CONNECT) and resolves with the socket behind which the API speaks TLS.
 *
 * Not undici's `ProxyAgent`: it brings its pool and SOCKS along, and a connection that it is still making cannot
 * be taken back by an AbortSignal.
 *
 * @throws ProxyError when the proxy says no, and the socket's own error when it is not to be reached.
 */
export async function openTunnel(
  proxy: HttpProxy,
  to: { readonly host: string; readonly port: number },
  trust: Trust,
  signal: AbortSignal,
): Promise<Socket> {
  const socket = proxy.tls
    ? await openTls(proxy.host, proxy.port, null, trust, signal)
    : await settled(tcpConnect({ host: proxy.host, port: proxy.port }), 'connect', signal);
  const authority = `${isIP(to.host) === 6 ? `[${to.host}]` : to.host}:${to.port}`;
  // An import of `node:http` reads every export, `WebSocket` among them, and so loads Node's own undici: 12 MB.
  const { request } = process.getBuiltinModule('node:http');
  return new Promise<Socket>((resolve, reject) => {
    const connect = request({
      method: 'CONNECT',
      path: authority,
      headers: {
        host: authority,
        ...(proxy.authorization === null ? {} : { 'proxy-authorization': proxy.authorization }),
      },
      createConnection: () => socket,
      signal,
    });
    const fail = (error: Error) => {
      socket.destroy();
      reject(signal.aborted ? signal.reason : error);
    };
    connect.once('connect', (answer, tunnel, head) => {
      // Bytes ahead of our own TLS hello cannot be the API's.
      if (answer.statusCode === 200 && head.length === 0) resolve(tunnel as Socket);
      else fail(new ProxyError(`the proxy answered HTTP ${answer.statusCode} to CONNECT`));
    });
    connect.once('response', (answer) => {
      fail(new ProxyError(`the proxy answered HTTP ${answer.statusCode} to CONNECT`));
    });
    connect.on('error', fail);
    connect.end();
  });
}
