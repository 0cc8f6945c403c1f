import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { scratch } from '../native.ts';

/** What the engine does on a connection, once the whole request is there. */
export type Behaviour = (connection: Socket, request: Request) => void;

export interface Request {
  /** For example `start`. */
  readonly what: string;
  readonly url: string;
  readonly body: string;
}

export interface FakeEngine extends AsyncDisposable {
  readonly socket: string;
  /** All requests so far. */
  readonly requests: readonly Request[];
  /** Resolves with the first request of that kind, past or future. */
  asked(what: string): Promise<Request>;
}

/** An engine that may answer anything: what a route has no behaviour for is a 404. `at`: where it listens. */
export async function fakeEngine(
  behaviours: Readonly<Record<string, Behaviour>>,
  at?: string,
): Promise<FakeEngine> {
  const folder = scratch();
  const socket = at ?? join(folder.path, 'api.sock');
  const requests: Request[] = [];
  const waiting: { what: string; resolve: (request: Request) => void }[] = [];
  const open = new Set<Socket>();

  const server = createServer((connection) => {
    open.add(connection);
    connection.on('close', () => open.delete(connection));
    connection.on('error', () => {});
    let text = '';
    connection.on('data', (chunk) => {
      text += chunk.toString('latin1');
      const [head = '', body = ''] = text.split('\r\n\r\n', 2);
      if (!text.includes('\r\n\r\n')) return;
      if (body.length < Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)) return;
      const url = head.split(' ')[1] ?? '';
      const what = /^\/v1\/jobs\/\d+\/(\w+)/.exec(url)?.[1] ?? '';
      const request = { what, url, body };
      requests.push(request);
      for (const one of waiting) if (one.what === what) one.resolve(request);
      (behaviours[what] ?? answer(404, 'unknown'))(connection, request);
    });
  });
  server.listen(socket);
  await new Promise<void>((resolve) => server.on('listening', resolve));
  return {
    socket,
    requests,
    asked(what) {
      const past = requests.find((request) => request.what === what);
      const { promise, resolve } = Promise.withResolvers<Request>();
      waiting.push({ what, resolve });
      return past ? Promise.resolve(past) : promise;
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const connection of open) connection.destroy();
      await closed;
      folder[Symbol.dispose]();
    },
  };
}

/** A good answer. */
export const answer =
  (status: number, body: string): Behaviour =>
  (connection) =>
    connection.end(
      `HTTP/1.1 ${status} Whatever\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );

/** These bytes, and the end of the stream. */
export const raw =
  (bytes: string | Buffer): Behaviour =>
  (connection) =>
    connection.end(bytes);

export const ACTION = '11111111-2222-3333-4444-555555555555';

/** The answer of `start` to a run that is restored by this command. */
export const plan = (argv: readonly string[]): Behaviour =>
  answer(200, `action ${ACTION}\n${argv.map((word) => `arg ${encodeURIComponent(word)}\n`).join('')}`);
