import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { SocketBusyError, SocketError } from '../../daemon/http/unix-socket.ts';
import { listen } from '../../daemon/sources/socket/listen.ts';
import { ask, type Fixture, serve, tempDir } from '../sources/socket/support.ts';

const isRoot = process.getuid?.() === 0;

/** Leaves a socket file whose process is gone. */
function leaveStale(path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  expect(() => execFileSync(process.execPath, ['-e', script], { stdio: 'ignore' })).toThrow();
  expect(lstatSync(path).isSocket()).toBe(true);
}

async function answers({ path }: Pick<Fixture, 'path'>): Promise<boolean> {
  return (await ask(path, 'GET /v1/status')).status === 200;
}

test('the folder is made, the mode is as it was asked for, and nothing else is left beside it', async () => {
  await using fixture = await serve({}, { mode: 0o660 });
  expect(lstatSync(dirname(fixture.path)).mode & 0o777).toBe(0o755);
  expect(lstatSync(fixture.path).mode & 0o777).toBe(0o660);
  expect(readdirSync(dirname(fixture.path))).toEqual(['ckptd.sock']);
  expect(await answers(fixture)).toBe(true);
});

test('a stale socket is taken over', async () => {
  const dir = tempDir();
  const path = join(dir, 'ckptd.sock');
  leaveStale(path);
  {
    await using fixture = await serve({}, { path });
    expect(await answers({ ...fixture, path })).toBe(true);
  }
  expect(readdirSync(dir)).toEqual([]);
  rmSync(dir, { recursive: true });
});

test('a live one is refused and goes on', async () => {
  await using first = await serve();
  await expect(serve({}, { path: first.path })).rejects.toThrow(SocketBusyError);
  expect(await answers(first)).toBe(true);
  expect(readdirSync(dirname(first.path))).toEqual(['ckptd.sock']);
});

test('a file or folder at the path is refused and kept', async () => {
  const dir = tempDir();
  const path = join(dir, 'ckptd.sock');
  writeFileSync(path, 'mine');
  await expect(serve({}, { path })).rejects.toThrow(SocketBusyError);
  expect(readFileSync(path, 'utf8')).toBe('mine');
  await expect(serve({}, { path: dir })).rejects.toThrow(/is not a socket/);
  rmSync(dir, { recursive: true });
});

test('closing takes away only what is still its own', async () => {
  const fixture = await serve();
  unlinkSync(fixture.path);
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(fixture.path, resolve));
  await fixture.server[Symbol.asyncDispose]();
  expect(existsSync(fixture.path)).toBe(true);
  await new Promise((resolve) => other.close(resolve));
  await fixture[Symbol.asyncDispose]();
});

test.each([
  [{ path: `/tmp/${'x'.repeat(120)}` }, /too long/],
  [{ group: 'no-such-group' }, /no-such-group is not in \/etc\/group/],
])('%j is an error that says so, and leaves nothing', async (options, message) => {
  const error = await serve({}, options).then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(SocketError);
  expect(String(error)).toMatch(message);
});

test.runIf(isRoot)('the group gets the socket, by name or number', async () => {
  const daemonGid = Number(/^daemon:[^:]*:(\d+)/m.exec(readFileSync('/etc/group', 'utf8'))?.[1]);
  for (const group of ['daemon', String(daemonGid)]) {
    await using fixture = await serve({}, { group, mode: 0o660 });
    expect(lstatSync(fixture.path)).toMatchObject({ gid: daemonGid, uid: 0 });
  }
});
if (!isRoot) console.error('SKIPPED: the group of the socket: needs root');

test('the umask is not looked at', async () => {
  const umask = process.umask(0o777);
  try {
    const dir = tempDir();
    chmodSync(dir, 0o700);
    const path = join(dir, 'ckptd.sock');
    const { handlers, log } = { handlers: {} as never, log: {} as never };
    await using _server = await listen({ path, mode: 0o666, group: null, handlers, log });
    expect(lstatSync(path).mode & 0o777).toBe(0o666);
  } finally {
    process.umask(umask);
  }
});
