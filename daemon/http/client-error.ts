import type { Duplex } from 'node:stream';

/** Node's codes of the errors that have a status of their own; any other error is a 400. */
const STATUS_OF: Readonly<Record<string, readonly [line: string, code: string, message: string]>> = {
  HPE_HEADER_OVERFLOW: [
    '431 Request Header Fields Too Large',
    'headers-too-large',
    'the headers are too large',
  ],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'timeout', 'the request did not come in time'],
};
const BAD_REQUEST = ['400 Bad Request', 'bad-request', 'this is not HTTP/1.1'] as const;

/** Answers bytes that never became a request, and closes the connection whatever the client does. */
export function onClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const [line, code, message] = STATUS_OF[error.code ?? ''] ?? BAD_REQUEST;
  const body = `${JSON.stringify({ message, code })}\n`;
  const head = `HTTP/1.1 ${line}\r\nConnection: close\r\nContent-Type: application/json\r\n`;
  // Not `end` alone: that would wait for a client that never closes its side.
  socket.end(`${head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`, () => socket.destroy());
}
