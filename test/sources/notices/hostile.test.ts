import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import type { Clock } from '../../../daemon/system/ports.ts';
import type { Notice } from '../../../daemon/vocabulary/notice.ts';
import fc from '../../support/properties.ts';
import { noticesConfig, Watched } from './watched.ts';

const SAMPLES = 1_500;
/** Of scheduled events, as it is by default. */
const LEAD = noticesConfig(['ec2']).ec2.scheduledLead;

/** Real time, in which nobody waits. */
const HASTY: Clock = {
  now: () => Date.now(),
  sleep: (_, signal) =>
    new Promise((resolve, reject) => {
      setImmediate(() => (signal?.aborted ? reject(signal.reason) : resolve()));
    }),
};

/** A server that answers each connection with the next of these bytes, and closes it. */
async function babbler(answers: readonly Buffer[]) {
  let next = 0;
  const done = Promise.withResolvers<void>();
  const server = createServer((socket: Socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      const answer = answers[next++ % answers.length]!;
      if (next >= answers.length) done.resolve();
      socket.end(answer);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    all: done.promise,
    async [Symbol.asyncDispose]() {
      server.close();
      await once(server, 'close');
    },
  };
}

async function sayAll(answers: readonly Buffer[]): Promise<readonly Notice[]> {
  await using server = await babbler(answers);
  const at = { endpoint: server.url, timeout: 2000, firstTimeout: 2000 };
  const config = noticesConfig(['ec2', 'gcp', 'azure', 'alibaba'], {
    ec2: at,
    gcp: at,
    azure: at,
    alibaba: at,
  });
  await using watched = new Watched(config, HASTY);
  await server.all;
  // Each warning is one of few: what is said again and again is counted.
  expect(watched.warnings().length).toBeLessThan(SAMPLES);
  return watched.events.flatMap(({ standing }) => standing);
}

function http(status: number, headers: string, body: string): Buffer {
  const length = Buffer.byteLength(body);
  return Buffer.from(`HTTP/1.1 ${status} X\r\ncontent-length: ${length}\r\n${headers}\r\n${body}`);
}

const header = fc.constantFrom(
  '',
  'date: yesterday\r\n',
  'date: Thu, 01 Jan 1970 00:00:00 GMT\r\n',
  'date: Fri, 31 Dec 9999 23:59:59 GMT\r\n',
  'etag: \r\n',
  'etag: a b\x01c\r\n',
  `etag: ${'x'.repeat(5000)}\r\n`,
  'location: http://127.0.0.1:1/\r\n',
  'content-encoding: gzip\r\n',
  'transfer-encoding: chunked\r\n',
);
const status = fc.oneof({ weight: 5, arbitrary: fc.constant(200) }, fc.integer({ min: 100, max: 999 }));
const nonsense = fc.oneof(
  fc.string(),
  fc.json(),
  fc.constantFrom(
    '{}',
    '[]',
    'null',
    '[null]',
    '{"Events":null}',
    '{"Events":[1]}',
    '{"action":["terminate"]}',
  ),
  fc.constantFrom('true', 'True', 'TRUE!', 'none', 'terminated', '{"action":"Terminate"}', '[[[[]]]]'),
  fc.constant('['.repeat(60_000)),
);

test('no answer whatever crashes a source or makes a notice that is not there', async () => {
  const answer = fc.oneof(
    { weight: 4, arbitrary: fc.tuple(status, header, nonsense).map((parts) => http(...parts)) },
    fc.uint8Array({ maxLength: 2000 }).map((bytes) => Buffer.from(bytes)),
    fc
      .constantFrom(
        '',
        'HTTP/1.1 200 OK\r\n',
        'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nTRU',
        'SSH-2.0-x\r\n',
      )
      .map((text) => Buffer.from(text)),
  );
  expect(await sayAll(fc.sample(answer, SAMPLES))).toEqual([]);
});

/** True answers of all of them: the babbler gives each to the wrong one as well. */
const TRUE = [
  '{"action":"terminate","time":"2026-09-18T08:22:00Z"}',
  '{"noticeTime":"2026-09-18T08:22:00Z"}',
  'Terminated',
  '[{"Code":"system-reboot","EventId":"e-1","State":"active","NotBefore":"21 Jan 2026 09:00:43 GMT"}]',
  'TRUE',
  'TERMINATE_ON_HOST_MAINTENANCE',
  '{"DocumentIncarnation":2,"Events":[{"EventId":"A","EventType":"Preempt","Resources":["vm"],"EventStatus":"Started","NotBefore":""}]}',
  'vm',
  '2026-01-05T18:02:00Z',
];

test('whatever becomes of a true answer on its way, a notice is whole', async () => {
  const mangled = fc
    .tuple(fc.constantFrom(...TRUE), fc.nat(200), fc.nat(3), fc.string({ maxLength: 3 }))
    .map(([text, at, cut, other]) => {
      const place = at % (text.length + 1);
      return text.slice(0, place) + other + text.slice(place + cut);
    });
  const answer = fc.tuple(fc.constant(200), header, mangled).map((parts) => http(...parts));
  const notices = await sayAll(fc.sample(answer, SAMPLES));
  expect(notices.length).toBeGreaterThan(0);
  for (const { id, kind, deadline, reason, source } of notices) {
    expect(id).toMatch(/^[0-9a-f]{16}$/);
    // A year that was mangled puts a scheduled event off for so long that it is no termination yet.
    const farOff = source === 'ec2/scheduled' && deadline !== null && deadline > Date.now() + LEAD;
    expect(kind).toBe(source === 'ec2/rebalance' || farOff ? 'rebalance' : 'termination');
    expect(deadline === null || Number.isInteger(deadline)).toBe(true);
    expect(reason).toMatch(/^[^\p{Cc}]{1,200}$/u);
  }
});
