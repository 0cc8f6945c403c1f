import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createAuthority } from '../../../support/cedana/authority.ts';
import { createWorld, until } from '../world.ts';
import { createProxy, listen } from './proxy.ts';

test('over a unix socket, whatever proxy the environment names', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'ckptd-api-'));
  {
    const env = { HTTPS_PROXY: 'http://127.0.0.1:1', HTTP_PROXY: 'http://127.0.0.1:1' };
    await using world = await createWorld({
      server: { listen: { path: join(dir, 'api.sock') } },
      api: { env },
    });
    expect((await world.checkpoint()).type).toBe('accepted');
    expect((await world.restore()).type).toBe('accepted');
  }
  await rm(dir, { recursive: true });
});

test('over TLS with a private authority, and not without', async () => {
  await using authority = await createAuthority(['IP:127.0.0.1']);
  await using world = await createWorld({ server: { tls: authority }, api: { caFile: authority.caFile } });
  expect((await world.restore()).type).toBe('accepted');
  await using stranger = await createWorld({ api: { endpoint: world.standIn.url } });
  expect(await stranger.restore()).toMatchObject({ type: 'retry', message: expect.stringMatching(/^tls: /) });
  await using lost = await createWorld({ api: { endpoint: world.standIn.url, caFile: '/nonexistent.pem' } });
  expect(await lost.restore()).toEqual({
    type: 'retry',
    afterMs: null,
    message: 'tls: /nonexistent.pem cannot be read (ENOENT) (ERR_TLS_CA_FILE)',
  });
});

test('a certificate for another name is refused', async () => {
  await using authority = await createAuthority(['DNS:api.example.com']);
  await using world = await createWorld({ server: { tls: authority }, api: { caFile: authority.caFile } });
  expect(await world.restore()).toMatchObject({ type: 'retry', message: expect.stringMatching(/^tls: /) });
  expect(world.standIn.entries).toEqual([]);
});

test('through a proxy, with the name resolved there', async () => {
  await using authority = await createAuthority(['DNS:api.example.invalid']);
  await using server = await createWorld({ server: { tls: authority } });
  await using proxy = await createProxy(`Basic ${Buffer.from('us:p@ss').toString('base64')}`);
  const port = new URL(server.standIn.url).port;
  const endpoint = `https://api.example.invalid:${port}`;
  const api = { endpoint, caFile: authority.caFile };

  const env = { HTTPS_PROXY: `http://us:p%40ss@127.0.0.1:${proxy.port}`, NO_PROXY: 'other.invalid,10.0.0.1' };
  await using world = await createWorld({ api: { ...api, env } });
  server.standIn.service.behaviour.tokens = ['tok-5f1d0c9e7b'];
  expect((await world.restore()).type).toBe('accepted');
  expect((await world.restore()).type).toBe('accepted');
  expect(proxy.asked).toEqual([`api.example.invalid:${port}`]);

  const wrong = { https_proxy: `http://us:wrong@127.0.0.1:${proxy.port}` };
  await using stranger = await createWorld({ api: { ...api, env: wrong } });
  const refused = await stranger.restore();
  expect(refused).toEqual({
    type: 'retry',
    afterMs: null,
    message: 'proxy: the proxy answered HTTP 407 to CONNECT',
  });

  await until(() => proxy.sockets.size === 1);

  const around = { HTTPS_PROXY: env.HTTPS_PROXY, no_proxy: '.example.invalid' };
  await using direct = await createWorld({ api: { ...api, env: around } });
  expect(await direct.restore()).toMatchObject({ message: expect.stringMatching(/^dns: /) });
  expect(proxy.asked.length).toBe(2);

  await server.api.close();
  await world.api.close();
  await using lost = await createWorld({ api: { endpoint, env, caFile: '/nonexistent.pem' } });
  expect(await lost.restore()).toMatchObject({ type: 'retry', message: expect.stringMatching(/^tls: /) });
  expect(proxy.asked.length).toBe(3);
  await until(() => proxy.sockets.size === 0);
});

test('loopback never goes through a proxy', async () => {
  const env = {
    http_proxy: 'http://127.0.0.1:1',
    https_proxy: 'http://127.0.0.1:1',
    ALL_PROXY: 'http://127.0.0.1:1',
  };
  await using world = await createWorld({ api: { env } });
  expect((await world.restore()).type).toBe('accepted');
  await using authority = await createAuthority(['IP:127.0.0.1']);
  await using tls = await createWorld({ server: { tls: authority }, api: { env, caFile: authority.caFile } });
  expect((await tls.restore()).type).toBe('accepted');
});

test('connections are reused, and there are four at most', async () => {
  await using world = await createWorld();
  for (let n = 0; n < 5; n += 1) await world.restore();
  expect(world.standIn.connections).toBe(1);
  world.standIn.scripts.restore.latencyMs = 20;
  const results = await Promise.all(Array.from({ length: 20 }, () => world.restore()));
  expect(new Set(results.map((result) => result.type))).toEqual(new Set(['accepted']));
  expect(world.standIn.connections).toBe(4);
});

test('an abort ends the call at once and closes the connection', async () => {
  await using world = await createWorld();
  world.standIn.scripts.checkpoint.always = { type: 'hang' };
  const abort = new AbortController();
  const calls = Array.from({ length: 6 }, () => world.checkpoint(600_000, abort.signal));
  await until(() => world.standIn.entries.length === 4);
  const reason = new Error('the daemon ends');
  abort.abort(reason);
  for (const call of calls) await expect(call).rejects.toBe(reason);
  await until(() => world.standIn.openSockets === 0);
  await expect(world.restore(abort.signal)).rejects.toBe(reason);
  expect((await world.restore()).type).toBe('accepted');
});

test('a call that was aborted while it waited for a connection does not keep others from it', async () => {
  await using world = await createWorld();
  world.standIn.scripts.restore.faults = Array.from({ length: 4 }, () => ({ type: 'hang' }));
  const holding = new AbortController();
  const held = Array.from({ length: 4 }, () => world.restore(holding.signal).catch(() => null));
  await until(() => world.standIn.entries.length === 4);
  const leaving = new AbortController();
  const left = Array.from({ length: 4 }, () => world.restore(leaving.signal).catch(() => null));
  const patient = world.restore();
  // One turn of the event loop brings all five to where they wait.
  await setImmediate();
  leaving.abort();
  await Promise.all(left);
  holding.abort();
  await Promise.all(held);
  expect((await patient).type).toBe('accepted');
});

test('an abort during a TLS handshake or a CONNECT leaves no connection', async () => {
  const sockets = new Set<Socket>();
  const silent = createServer((socket) => {
    sockets.add(socket);
    socket
      .on('error', () => {})
      .on('close', () => sockets.delete(socket))
      .resume();
  });
  const port = await listen(silent);
  const ways = [
    { endpoint: `https://127.0.0.1:${port}`, env: {} },
    { endpoint: 'https://api.example.invalid', env: { HTTPS_PROXY: `http://127.0.0.1:${port}` } },
    { endpoint: 'https://api.example.invalid', env: { HTTPS_PROXY: `https://127.0.0.1:${port}` } },
  ];
  for (const api of ways) {
    await using world = await createWorld({ api });
    const abort = new AbortController();
    const call = world.restore(abort.signal);
    await until(() => sockets.size === 1);
    abort.abort(new Error('enough'));
    await expect(call).rejects.toThrow('enough');
    await until(() => sockets.size === 0);

    await using hasty = await createWorld({ api: { ...api, timeoutMs: 300 } });
    expect(await hasty.restore()).toMatchObject({
      type: 'retry',
      message: expect.stringMatching(/^timeout: /),
    });
    await until(() => sockets.size === 0);
  }
  await new Promise((resolve) => silent.close(resolve));
});

test('nothing is left once it is closed', async () => {
  const handles = () =>
    process.getActiveResourcesInfo().filter((name) => /TCP|Pipe(Wrap|Connect)|TLS|Timeout/.test(name));
  const before = handles().length;
  {
    await using world = await createWorld();
    await Promise.all([world.checkpoint(), world.restore(), world.restore()]);
  }
  await until(() => handles().length <= before);
});
