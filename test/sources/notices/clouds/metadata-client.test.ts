import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { metadataClient } from '../../../../daemon/sources/notices/clouds/metadata-client.ts';
import { systemClock } from '../../../../daemon/system/clock.ts';
import { Ec2Metadata } from '../../../support/metadata/ec2.ts';

const run = promisify(execFile);
const client = (url: string) => metadataClient(url, systemClock());

test('no proxy of the environment comes between', async () => {
  await using server = await new Ec2Metadata().listen();
  let proxied = 0;
  const proxy = createServer((_, response) => {
    proxied += 1;
    response.end('a notice');
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const address = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const module = resolve(import.meta.dirname, '../../../../daemon/sources/notices/clouds/metadata-client.ts');
  const program = `
    const { metadataClient } = await import(${JSON.stringify(module)});
    const client = metadataClient(${JSON.stringify(server.url)}, { now: () => 0 });
    const result = await client.ask({ path: '/x', timeoutMs: 5000 }, new AbortController().signal);
    console.log(result.status);`;
  const env = { NODE_USE_ENV_PROXY: '1', HTTP_PROXY: address, http_proxy: address, HTTPS_PROXY: address };
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program], { env });
  expect(stdout.trim()).toBe('401');
  expect(proxied).toBe(0);
  proxy.close();
});

test('no request leaves a connection behind, however it ended', async () => {
  await using server = await new Ec2Metadata().listen();
  const sockets = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
  const before = sockets();
  for (const fault of ['html', 'huge', 'endless', 'hang', 'reset', 'broken-off', 500, 302] as const) {
    server.fail(fault, { times: 3 });
    for (let times = 0; times < 3; times++) {
      await client(server.url).ask({ path: '/x', timeoutMs: 50 }, new AbortController().signal);
    }
  }
  await expect.poll(sockets, { timeout: 20_000 }).toBeLessThanOrEqual(before);
});

test('a signal ends a request at once, with its own reason', async () => {
  await using server = await new Ec2Metadata().listen();
  server.fail('hang');
  const stop = new AbortController();
  const asked = client(server.url).ask({ path: '/x', timeoutMs: 60_000 }, stop.signal);
  await server.reaches(1);
  const why = new Error('over');
  stop.abort(why);
  await expect(asked).rejects.toBe(why);
  await expect(client(server.url).ask({ path: '/x', timeoutMs: 60_000 }, stop.signal)).rejects.toBe(why);
  expect(server.seen).toHaveLength(1);
});
