import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { ask, sendRaw, serve } from '../sources/socket/support.ts';

/** Connects and resolves once the server has closed again. */
function held(path: string, bytes: string): { socket: Socket; closed: Promise<unknown> } {
  const socket = connect({ path });
  socket.on('error', () => undefined).resume();
  socket.write(bytes);
  return { socket, closed: once(socket, 'close') };
}

test('bodies: 64 KiB is served, more is a 413 that the client gets to read, however it is sent', async () => {
  await using fixture = await serve();
  const { path } = fixture;
  const padded = (size: number) => `{"env":{}}${' '.repeat(size - 10)}`;
  expect((await ask(path, 'POST /v1/jobs/1/prolog', padded(64 * 1024))).status).toBe(202);
  expect((await ask(path, 'POST /v1/jobs/1/prolog', padded(64 * 1024 + 1))).status).toBe(413);
  expect((await ask(path, 'POST /v1/jobs/1/prolog', padded(1_000_000))).status).toBe(413);
  const head = 'POST /v1/jobs/1/prolog HTTP/1.1\r\nHost: x\r\n';
  const chunked = `${head}Transfer-Encoding: chunked\r\n\r\n20000\r\n${'x'.repeat(0x20000)}\r\n0\r\n\r\n`;
  expect(await sendRaw(path, chunked)).toMatch(/^HTTP\/1.1 413 /);
  const endless = `${head}Content-Length: 999999999\r\n\r\n${'x'.repeat(3_000_000)}`;
  await sendRaw(path, endless);
  await expect.poll(() => fixture.server.counters.open).toBe(0);
});

test('clients that send nothing, or half a request, or never read, are gone within seconds; nobody waits for them', async () => {
  await using fixture = await serve({ jobs: () => [{ text: 'x'.repeat(20_000_000) }] });
  const { path, server } = fixture;
  const silent = Array.from({ length: 100 }, () => held(path, ''));
  const slow = [
    held(path, 'GET /v1/sta'),
    held(path, 'GET /v1/status HTTP/1.1\r\nHost: x\r\nX-'),
    held(path, 'POST /v1/jobs/1/prolog HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{'),
    held(path, 'POST /v1/jobs/1/prolog HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"e'),
  ];
  const deaf = held(path, 'GET /v1/jobs HTTP/1.1\r\nHost: x\r\n\r\n');
  deaf.socket.pause();
  expect((await ask(path, 'GET /v1/status')).status).toBe(200);
  await Promise.all([...silent, ...slow].map(({ closed }) => closed));
  await expect.poll(() => server.counters.open, { timeout: 10_000 }).toBe(0);
  deaf.socket.destroy();
  expect(fixture.calls).toEqual([]);
  expect(fixture.logged).toEqual([]);
});

test('past 128 connections a new one is hung up on at once; it is served again when there is room', async () => {
  await using fixture = await serve();
  const { path, server } = fixture;
  const many = Array.from({ length: 128 }, () => held(path, ''));
  await expect.poll(() => server.counters.open).toBe(128);
  expect(await sendRaw(path, 'GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n')).toBe('');
  expect(server.counters.dropped).toBe(1);
  for (const { socket } of many) socket.destroy();
  await expect.poll(() => server.counters.open).toBe(0);
  expect((await ask(path, 'GET /v1/status')).status).toBe(200);
});

test('a connection serves one request', async () => {
  await using fixture = await serve();
  const request = 'GET /v1/history HTTP/1.1\r\nHost: x\r\n\r\n';
  await sendRaw(fixture.path, request.repeat(50));
  expect(fixture.calls).toHaveLength(1);
});

test('a client that hangs up aborts what it asked for', async () => {
  const asked = Promise.withResolvers<AbortSignal>();
  await using fixture = await serve({
    checkpoint: (_jobId, _kind, signal) => {
      asked.resolve(signal);
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    },
  });
  const { socket } = held(
    fixture.path,
    'POST /v1/jobs/1/checkpoint HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n',
  );
  const signal = await asked.promise;
  expect(signal.aborted).toBe(false);
  socket.destroy();
  await once(signal, 'abort');
  await expect.poll(() => fixture.server.counters.open).toBe(0);
  expect(fixture.logged).toEqual([]);
});

test('closing tells what is under way, answers it, and waits a second for what does not end', async () => {
  const deaf = Promise.withResolvers<void>();
  await using fixture = await serve({
    checkpoint: (_jobId, _kind, signal) =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () =>
          resolve({ status: 503, body: { message: 'stopping', code: 'stopping' } }),
        );
        deaf.resolve();
      }),
    restore: () => new Promise(() => undefined),
  });
  const { path, server } = fixture;
  const answered = ask(path, 'POST /v1/jobs/1/checkpoint');
  const forgotten = held(path, 'POST /v1/jobs/1/restore HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n');
  await deaf.promise;
  await server[Symbol.asyncDispose]();
  expect((await answered).status).toBe(503);
  await forgotten.closed;
  await expect.poll(() => server.counters.open).toBe(0);
});
