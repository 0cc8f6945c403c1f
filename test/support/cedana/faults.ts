import type { ServerResponse } from 'node:http';
import { Socket } from 'node:net';

/** What the stand-in does wrong on purpose, once. */
export type Fault =
  /** No fault: a place holder in a script. */
  | { readonly type: 'none' }
  /** The connection is reset before the body is read. Nothing is acted on. */
  | { readonly type: 'reset-before-body' }
  /** The connection is reset once the request is read; `acts`: after it was carried out. */
  | { readonly type: 'reset-after-body'; readonly acts?: boolean }
  /** No answer ever; `acts`: but the request is carried out. */
  | { readonly type: 'hang'; readonly acts?: boolean }
  /** This answer, whatever was asked. An object is sent as JSON (ApiError), a string as `contentType`. */
  | {
      readonly type: 'answer';
      readonly status: number;
      readonly body?: object | string;
      readonly contentType?: string;
      readonly headers?: Readonly<Record<string, string>>;
      readonly acts?: boolean;
    }
  /** The right answer, cut in its middle by a closed connection. */
  | { readonly type: 'truncated' }
  /** The right answer, a byte at a time. */
  | { readonly type: 'trickle'; readonly everyMs: number }
  /** An answer of so many bytes. */
  | { readonly type: 'huge'; readonly status: number; readonly bytes: number }
  /** These bytes on the wire in place of HTTP, as latin1. */
  | { readonly type: 'raw'; readonly bytes: string };

/** Whether the request is carried out in spite of the fault. */
export function actsUnder(fault: Fault): boolean {
  switch (fault.type) {
    case 'none':
    case 'truncated':
    case 'trickle':
      return true;
    case 'reset-after-body':
    case 'hang':
    case 'answer':
      return fault.acts ?? false;
    default:
      return false;
  }
}

/** An answer as the service would give it. */
export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Sends `answer` under `fault`. The connection, not this function, shows how it went. */
export function play(fault: Fault, answer: Answer, response: ServerResponse): void {
  const { socket } = response;
  switch (fault.type) {
    case 'none':
      return send(response, answer);
    case 'answer': {
      const json = typeof fault.body === 'object';
      return send(response, {
        status: fault.status,
        contentType: fault.contentType ?? (json ? 'application/json' : 'text/plain'),
        body: json ? JSON.stringify(fault.body) : ((fault.body as string | undefined) ?? ''),
        ...(fault.headers === undefined ? {} : { headers: fault.headers }),
      });
    }
    case 'hang':
      return;
    case 'reset-before-body':
    case 'reset-after-body':
      return reset(socket);
    case 'truncated':
      head(response, answer);
      response.write(answer.body.slice(0, Math.ceil(answer.body.length / 2)), () => socket?.end());
      return;
    case 'trickle':
      head(response, answer);
      return trickle(response, answer.body, fault.everyMs);
    case 'huge':
      return send(response, {
        status: fault.status,
        contentType: 'text/plain',
        body: 'x'.repeat(fault.bytes),
      });
    case 'raw':
      socket?.end(Buffer.from(fault.bytes, 'latin1'));
  }
}

function head(response: ServerResponse, answer: Answer): void {
  response.writeHead(answer.status, {
    'content-type': answer.contentType,
    'content-length': Buffer.byteLength(answer.body),
    ...answer.headers,
  });
}

function send(response: ServerResponse, answer: Answer): void {
  head(response, answer);
  response.end(answer.body);
}

function trickle(response: ServerResponse, body: string, everyMs: number): void {
  const next = (index: number) => {
    if (response.destroyed) return;
    if (index === body.length) response.end();
    else response.write(body[index], () => setTimeout(next, everyMs, index + 1).unref());
  };
  next(0);
}

/** TCP can say that a connection is broken; a unix socket can only be closed. */
export function reset(socket: Socket | null): void {
  if (socket instanceof Socket && socket.remoteAddress !== undefined) socket.resetAndDestroy();
  else socket?.destroy();
}
