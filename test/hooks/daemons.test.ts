import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HOOKS, hookWith, run, SHELLS, SLURM_ENV } from './support.ts';

const PROLOG = join(HOOKS, 'prolog');
/**
 * The hook's own limit is 1 s, and these daemons never let go of it: whoever comes back long before this has given up.
 * A busy machine starts processes slowly; how near to 1 s it is, `npm run bench -- hooks` tells.
 */
const LIMIT_MS = 5_000;

let dir: string;
let path: string;
const open = new Set<Socket>();
let server: Server | undefined;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ckptd-hooks-'));
  path = join(dir, 'ckptd.sock');
});
afterEach(async () => {
  for (const socket of open) socket.destroy();
  if (server !== undefined) {
    const closed = once(server, 'close');
    server.close();
    await closed;
    server = undefined;
  }
  rmSync(dir, { recursive: true, force: true });
});

async function listen(serve: (socket: Socket) => void): Promise<void> {
  server = createServer((socket) => {
    open.add(socket.on('error', () => undefined).on('close', () => open.delete(socket)));
    serve(socket);
  });
  server.listen(path);
  await once(server, 'listening');
}

const env = () => ({ ...SLURM_ENV, CKPTD_SOCKET: path, SLURM_SCRIPT_CONTEXT: 'prolog_slurmd' });

describe.each(SHELLS)('%s', (_name, ...shell) => {
  const hook = (file = PROLOG) => run([...shell, file], env());
  const quiet = { code: 0, signal: null, output: '' };

  test('no daemon: no socket, a file in its place, a folder that is not there', async () => {
    expect(await hook()).toMatchObject(quiet);
    writeFileSync(path, '');
    expect(await hook()).toMatchObject(quiet);
    path = join(dir, 'none', 'ckptd.sock');
    expect(await hook()).toMatchObject(quiet);
  });

  test('a stale socket', async () => {
    const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
    await once(spawn(process.execPath, ['-e', script]), 'exit');
    const ran = await hook();
    expect(ran).toMatchObject(quiet);
    expect(ran.ms).toBeLessThan(1_000);
  });

  test('a daemon that hangs: one that never answers, one that answers by the byte; by every way to speak to it', async () => {
    let drip: NodeJS.Timeout | undefined;
    await listen((socket) => {
      socket.resume();
      socket.write('HTTP/1.1 202 Accepted\r\n');
      drip = setInterval(() => socket.write('X'), 50);
      socket.once('close', () => clearInterval(drip));
    });
    const slow = await hook();
    expect(slow).toMatchObject(quiet);
    expect(slow.ms).toBeLessThan(LIMIT_MS);
    server?.removeAllListeners('connection').on('connection', (socket: Socket) => open.add(socket));
    const text = readFileSync(PROLOG, 'utf8');
    const { PATH: ownPath } = process.env;
    const real = (name: string) => ({ [name]: `#!/bin/sh\nPATH='${ownPath}' exec ${name} "$@"\n` });
    for (const programs of [real('curl'), real('perl'), real('python3')]) {
      const ran = await hook(hookWith(dir, programs, text));
      expect(ran).toMatchObject(quiet);
      expect(ran.ms).toBeLessThan(LIMIT_MS);
      expect(ran.ms).toBeGreaterThan(500);
    }
  });

  test.each([
    ['garbage', (socket: Socket) => socket.end(Buffer.alloc(100_000, 'garbage\0\r\n'))],
    ['an error', (socket: Socket) => socket.end('HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n')],
    ['nothing', (socket: Socket) => socket.destroy()],
    [
      'a redirect',
      (socket: Socket) =>
        socket.end('HTTP/1.1 302 F\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n'),
    ],
  ])('a daemon that answers %s', async (_what, answer) => {
    await listen((socket) => void socket.once('data', () => answer(socket)));
    expect(await hook()).toMatchObject(quiet);
  });

  test('a daemon that answers without end', async () => {
    await listen((socket) => {
      socket.resume();
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      const chunk = Buffer.alloc(65_536, 'x');
      const pour = () => {
        while (socket.writable && socket.write(chunk));
      };
      socket.on('drain', pour);
      pour();
    });
    const ran = await hook();
    expect(ran).toMatchObject(quiet);
    expect(ran.ms).toBeLessThan(LIMIT_MS);
  });

  test.each([
    ['closed standard files', '"$@" <&- >&- 2>&-'],
    ['a pipe that nobody reads', '{ "$@"; echo "code $?" >&3; } 3>&1 >/dev/full'],
    ['a reader that is gone', '{ "$@" 2>&1; echo "code $?" >&2; } | :'],
    ['HOME unset, and a curlrc that would redirect it', 'unset HOME; "$@"'],
    ['few open files', 'ulimit -n 16; "$@"'],
    ['no files to be written', 'ulimit -f 0; "$@"'],
    ['no memory for a client', 'ulimit -v 20000; "$@"'],
    ['signals ignored', 'trap \'\' TERM INT HUP PIPE; "$@"'],
    ['nounset and errexit around it', 'set -eu; "$@"'],
    ['an unwritable, foreign working folder', 'cd /proc; "$@"'],
  ])('exits 0 with %s', async (_what, script) => {
    await listen(
      (socket) => void socket.once('data', () => socket.end('HTTP/1.1 202 A\r\nContent-Length: 0\r\n\r\n')),
    );
    const ran = await run(['/bin/bash', '-c', `${script}; exit $?`, 'sh', ...shell, PROLOG], env());
    expect(ran.code).toBe(0);
    expect(ran.output.replace('code 0\n', '')).toBe('');
  });

  test('exits 0 and leaves nobody behind when it is told to stop', async () => {
    const connected = Promise.withResolvers<Socket>();
    await listen((socket) => connected.resolve(socket));
    const [file = '', ...args] = shell;
    const child = spawn(file, [...args, PROLOG], { env: env(), stdio: 'ignore' });
    const exit = once(child, 'exit');
    const socket = await connected.promise;
    const gone = once(socket.resume(), 'close');
    child.kill('SIGTERM');
    expect(await exit).toEqual([0, null]);
    await gone;
  });
});
