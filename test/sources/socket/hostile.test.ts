import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type Fixture, sendRaw, serve } from './support.ts';

const REQUESTS = 100_000;
const CLIENTS = 64;

/** A generator with a seed, so that a failure can be had again (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const END = 'Host: x\r\n\r\n';
const post = (path: string, body: string) =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
const PROLOG = '/v1/jobs/1/prolog';
const VALID = Buffer.from(post(PROLOG, '{"env":{"SLURM_JOB_ID":"1","SPANK_CKPT_INTERVAL":"15m"}}'));

const MALFORMED: readonly ((random: () => number) => string | Buffer)[] = [
  (random) => Buffer.from(Array.from({ length: 64 }, () => Math.floor(random() * 256))).fill('\r\n\r\n', 60),
  () => '\r\n\r\n\r\nx\r\n\r\n',
  () => `GET / HTTP/9.9\r\n${END}`,
  () => `GET /${'a'.repeat(9_000)} HTTP/1.1\r\n${END}`,
  () => `GET /v1/status HTTP/1.1\r\n${'X: y\r\n'.repeat(2_000)}${END}`,
  () => `GET /v1/status HTTP/1.1\r\nContent-Length: -1\r\n${END}`,
  () => `POST ${PROLOG} HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n${END}`,
  () => `POST ${PROLOG} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n${END}zz\r\n`,
  () => 'GET /v1/status HTTP/1.1\r\n\r\n',
  () => `CONNECT x:1 HTTP/1.1\r\n${END}`,
  () => `BREW /coffee HTTP/1.1\r\n${END}`,
  () => `GET * HTTP/1.1\r\n${END}`,
  () => `GET http://[ HTTP/1.1\r\n${END}`,
  () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  () => `POST ${PROLOG} HTTP/1.1\r\nExpect: nonsense\r\nContent-Length: 0\r\n${END}`,
  () => post('/v1/jobs/%ff/prolog', '{}'),
  () => post('/v1/jobs/../../prolog', '{}'),
  () => post('/v1/jobs/-1/prolog', '{}'),
  () => post('/v1/jobs/99999999999/epilog', '{"env":{}}'),
  () => post(PROLOG, '{"env":'),
  () => post(PROLOG, '[{"env":{}}]'),
  () => post(PROLOG, '{"env":["SLURM_JOB_ID"]}'),
  () => post(PROLOG, '{"env":{"SLURM_JOB_ID":"2"}}'),
  () => post(PROLOG, '{"env":{"SLURM_JOB_RESTART_COUNT":"many"}}'),
  () => post(PROLOG, '['.repeat(5_000)),
  () => post('/v1/jobs/1/checkpoint', '{"kind":"everything"}'),
  () => post('/v1/jobs/1/restore', '{"action_id":{"a":1}}'),
  () => post('/v1/notices', '{"kind":"termination","deadline":"2026-13-01T00:00:00Z"}'),
  () => post('/v1/notices', '{"kind":"termination","__proto__":{"dry_run":true}}'),
  () => post('/v1/notices', `{"kind":"termination","in":"${'9'.repeat(400)}s"}`),
  () => post('/v1/status', ''),
  () => `GET /v1/history?limit=0&job=%00 HTTP/1.1\r\n${END}`,
  () => `GET /v1/history?job=1e3 HTTP/1.1\r\n${END}`,
  (random) => {
    const bytes = Buffer.from(VALID);
    // In the request line, where any other byte makes it another request.
    bytes[Math.floor(random() * 25)] = Math.floor(random() * 32);
    return bytes;
  },
];

function openFiles(): number {
  return readdirSync('/proc/self/fd').length;
}

async function stillServes({ path, calls }: Fixture): Promise<void> {
  calls.length = 0;
  expect(await sendRaw(path, VALID)).toMatch(/^HTTP\/1.1 202 /);
  expect(calls).toHaveLength(1);
}

test(`${REQUESTS} malformed requests: each gets a 4xx or is hung up on, and nothing is left of them`, async () => {
  await using fixture = await serve();
  await stillServes(fixture);
  fixture.calls.length = 0;
  const files = openFiles();
  const random = randomOf(20_261_123);
  const statuses = new Map<string, number>();
  let sent = 0;
  const client = async (): Promise<void> => {
    while (sent < REQUESTS) {
      sent += 1;
      const make = MALFORMED[sent % MALFORMED.length]!;
      const answer = await sendRaw(fixture.path, make(random));
      const status = answer.slice(9, 12);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));

  const odd = [...statuses.keys()].filter((status) => !/^(4\d\d|)$/.test(status));
  expect(odd).toEqual([]);
  expect(fixture.calls).toEqual([]);
  expect(fixture.server.counters).toMatchObject({ open: 0, dropped: 0, failed: 0 });
  expect(fixture.logged).toEqual([]);
  expect(openFiles()).toBeLessThanOrEqual(files);
  await stillServes(fixture);
}, 120_000);
