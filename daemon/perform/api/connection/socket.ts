import { isIP, type Socket } from 'node:net';
import { failureKind } from './failure.ts';
import type { Trust } from './trust.ts';

/** TLS to `host`, over its own connection or over one that is there already. HTTP/1.1 only, as the daemon speaks. */
export async function openTls(
  host: string,
  port: number,
  through: Socket | null,
  trust: Trust,
  signal: AbortSignal,
): Promise<Socket> {
  try {
    // 6 MB resident that a daemon with the engine's unix socket never needs.
    const { connect } = await import('node:tls');
    const secureContext = await trust.context();
    signal.throwIfAborted();
    const socket = connect({
      host,
      port,
      // An address is no name to be sent; the certificate is then checked against the address (`host`).
      servername: isIP(host) === 0 ? host : '',
      ALPNProtocols: ['http/1.1'],
      secureContext,
      ...(through === null ? {} : { socket: through }),
    });
    return await settled(socket, 'secureConnect', signal);
  } catch (error) {
    through?.destroy();
    if (failureKind(error) === 'tls') trust.forget();
    throw error;
  }
}

/** Waits for `event` on a socket that is being opened. */
export function settled(socket: Socket, event: string, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const onAbort = () => socket.destroy(signal.reason);
    const done = () => {
      signal.removeEventListener('abort', onAbort);
      socket.off(event, onOpen).off('close', onClose).off('error', onError);
    };
    const onOpen = () => {
      done();
      resolve(socket.setNoDelay(true).setKeepAlive(true, 60_000));
    };
    const onError = (error: Error) => {
      done();
      // A socket that failed may report more than one error.
      socket.on('error', () => {}).destroy();
      reject(signal.aborted ? signal.reason : error);
    };
    const onClose = () => onError(new Error('closed while connecting'));
    socket.once(event, onOpen).once('close', onClose).once('error', onError);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
}
