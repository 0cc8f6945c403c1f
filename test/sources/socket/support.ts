import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import type { SocketHandlers } from '../../../daemon/sources/socket/handlers.ts';
import { type ListenOptions, listen, type SocketServer } from '../../../daemon/sources/socket/listen.ts';
import type { Log } from '../../../daemon/system/ports.ts';

export interface Fixture extends AsyncDisposable {
  readonly dir: string;
  readonly path: string;
  readonly server: SocketServer;
  /** Every call of a handler: its name and arguments. */
  readonly calls: [name: string, ...args: unknown[]][];
  readonly logged: string[];
}

export function tempDir(): string {
  return mkdtempSync(join(tmpdir(), 'ckptd-socket-'));
}

/** A server on a socket in a folder of its own; handlers record their calls and answer something plain. */
export async function serve(
  handlers: Partial<SocketHandlers> = {},
  options: Partial<ListenOptions> = {},
): Promise<Fixture> {
  const dir = tempDir();
  const path = join(dir, 'run', 'ckptd.sock');
  const calls: Fixture['calls'] = [];
  const logged: string[] = [];
  const say = (_fields: object, message: string) => void logged.push(message);
  const log: Log = { debug: say, info: say, warn: say, error: say, fatal: say };
  const recording: SocketHandlers = {
    prolog: async (hook) => void calls.push(['prolog', hook]),
    epilog: async (hook) => void calls.push(['epilog', hook]),
    checkpoint: async (jobId, kind) => {
      calls.push(['checkpoint', jobId, kind]);
      return { status: 200, body: { action_id: 'a1' } };
    },
    restore: async (jobId, actionId) => {
      calls.push(['restore', jobId, actionId]);
      return { status: 404, body: { message: 'no such checkpoint', code: 'ApiError' } };
    },
    notice: async (wish) => {
      calls.push(['notice', wish]);
      return { status: 201, body: { id: '00112233445566ff' } };
    },
    withdraw: async (noticeId) => {
      calls.push(['withdraw', noticeId]);
      return { status: 200, body: { id: noticeId } };
    },
    notices: () => [{ id: '00112233445566ff' }],
    status: () => ({ version: 1 }),
    jobs: () => [{ job_id: 1 }],
    history: (query) => {
      calls.push(['history', query]);
      return [];
    },
    metrics: () => 'ckptd_up 1\n',
    healthy: () => ({ ok: true, message: 'well' }),
    ...handlers,
  };
  const server = await listen({ path, mode: 0o600, group: null, handlers: recording, log, ...options });
  return {
    dir,
    path,
    server,
    calls,
    logged,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

export interface Answer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly text: string;
}

/** One request by an honest client. */
export async function ask(path: string, line: string, body?: string | Buffer): Promise<Answer> {
  const [method, url] = line.split(' ');
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const sent = request({ socketPath: path, method, path: url, agent: false });
  sent.once('error', reject);
  sent.once('response', (response) => {
    const { statusCode = 0, headers } = response;
    buffer(response).then(
      (bytes) => resolve({ status: statusCode, headers, text: bytes.toString() }),
      reject,
    );
  });
  sent.end(body);
  return promise;
}

/** Sends raw bytes and waits until the server has closed; resolves with what it answered. */
export function sendRaw(path: string, bytes: string | Buffer): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect({ path });
    // A reset is an end like any other: the server need not read what it will not serve.
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1');
    });
    socket.once('close', () => resolve(answer));
    socket.write(bytes);
  });
}
