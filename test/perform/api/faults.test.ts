import { describe, expect, test } from 'vitest';
import type { RestoreAttempt } from '../../../daemon/perform/ports.ts';
import type { Outcome } from '../../../daemon/vocabulary/outcome.ts';
import type { Fault } from '../../support/cedana/faults.ts';
import { ACTION, createWorld } from './world.ts';

/**
 * The retry policy: what one fault makes of a checkpoint (a good answer follows the fault) and of a single restore.
 * `again`: the checkpoint is asked for once more and accepted.
 */
interface Row {
  readonly name: string;
  readonly fault: Fault;
  readonly checkpoint: 'again' | Outcome['type'];
  readonly restore: RestoreAttempt['type'];
  readonly timeoutMs?: number;
}

const answer = (status: number, body: object | string = { message: 'no', code: null }): Fault => ({
  type: 'answer',
  status,
  body,
});
const failing = (status: number, restore: 'retry' | 'ambiguous'): Row => ({
  name: `HTTP ${status}`,
  fault: answer(status),
  checkpoint: 'again',
  restore,
});
const final = (status: number): Row => ({
  name: `HTTP ${status}`,
  fault: answer(status),
  checkpoint: 'refused',
  restore: 'refused',
});
const broken = (name: string, fault: Fault, timeoutMs?: number): Row => ({
  name,
  fault,
  checkpoint: 'again',
  restore: 'ambiguous',
  ...(timeoutMs === undefined ? {} : { timeoutMs }),
});

const ROWS: readonly Row[] = [
  { name: 'no fault', fault: { type: 'none' }, checkpoint: 'accepted', restore: 'accepted' },
  { name: 'id without quotes', fault: answer(200, ACTION), checkpoint: 'accepted', restore: 'accepted' },
  { name: '404 once', fault: answer(404), checkpoint: 'again', restore: 'refused' },
  ...[400, 402, 405, 409, 410, 413, 422, 451, 501, 505].map(final),
  ...[301, 302, 307, 308].map(final),
  ...[408, 425, 429, 500, 503, 507].map((status) => failing(status, 'retry')),
  ...[502, 504, 520, 599].map((status) => failing(status, 'ambiguous')),
  broken('reset before the body is read', { type: 'reset-before-body' }),
  broken('reset after the body is read', { type: 'reset-after-body' }),
  broken('hang', { type: 'hang' }, 400),
  broken('200 that is no id', answer(200, 'accepted')),
  broken('200 that is JSON', answer(200, { action_id: ACTION })),
  broken('200 that is empty', answer(200, '')),
  broken('200 with an HTML page', {
    ...answer(200, '<html>log in</html>'),
    contentType: 'text/html',
  } as Fault),
  broken('truncated id', { type: 'truncated' }),
  broken('slow trickle', { type: 'trickle', everyMs: 100 }, 400),
  broken('an id before a megabyte of space', answer(200, `${ACTION}${' '.repeat(1_000_000)}`)),
  broken('huge 200', { type: 'huge', status: 200, bytes: 1_000_000 }),
  {
    name: 'huge 500',
    fault: { type: 'huge', status: 500, bytes: 1_000_000 },
    checkpoint: 'again',
    restore: 'retry',
  },
  broken('not HTTP', { type: 'raw', bytes: 'SSH-2.0-OpenSSH_9.6\r\n' }),
  broken('early hints and then nothing', {
    type: 'raw',
    bytes: 'HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n',
  }),
  broken('an upgrade', {
    type: 'raw',
    bytes: 'HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n',
  }),
];

describe.each(ROWS)('$name', (row) => {
  const api = row.timeoutMs === undefined ? {} : { timeoutMs: row.timeoutMs };

  test(`a checkpoint is ${row.checkpoint}`, async () => {
    await using world = await createWorld({ api });
    world.standIn.scripts.checkpoint.faults = [row.fault];
    const outcome = await world.checkpoint();
    expect(outcome.type).toBe(row.checkpoint === 'again' ? 'accepted' : row.checkpoint);
    expect(world.standIn.entries.length).toBe(row.checkpoint === 'again' ? 2 : 1);
    expect(world.clock.sleeps.length).toBe(row.checkpoint === 'again' ? 1 : 0);
  });

  test(`a restore is ${row.restore}, and asked once`, async () => {
    await using world = await createWorld({ api });
    world.standIn.scripts.restore.always = row.fault;
    expect((await world.restore()).type).toBe(row.restore);
    expect(world.standIn.entries.length).toBe(1);
  });
});

describe('before anything is sent', () => {
  test('refused: a checkpoint waits for the server, a restore may be asked again', async () => {
    await using world = await createWorld();
    await world.standIn.refuse();
    expect(await world.restore()).toMatchObject({ type: 'retry', afterMs: null });
    world.clock.meanwhile = async () => {
      if (world.clock.sleeps.length === 3) await world.standIn.listen();
    };
    expect((await world.checkpoint()).type).toBe('accepted');
    expect(world.clock.sleeps).toEqual([375, 750, 1_500]);
    expect(world.api.counters()).toContainEqual({
      name: 'ckptd_api_failures_total',
      labels: { route: 'checkpoint', kind: 'refused' },
      value: 3,
    });
  });

  test.each([
    ['no such name', 'https://ckptd.invalid', 'dns'],
    ['no such socket', 'unix:/nonexistent/api.sock', 'refused'],
  ])('%s', async (_name, endpoint, kind) => {
    await using world = await createWorld({ api: { endpoint } });
    const result = await world.restore();
    expect(result).toMatchObject({ type: 'retry' });
    expect(result.type === 'retry' && result.message).toMatch(new RegExp(`^${kind}: `));
    expect((await world.checkpoint(1_000)).type).toBe('unavailable');
  });

  test('a server that accepts the connection and never speaks TLS', async () => {
    await using world = await createWorld();
    const endpoint = world.standIn.url.replace('http:', 'https:');
    await using tls = await createWorld({ api: { endpoint } });
    expect(await tls.restore()).toMatchObject({ type: 'retry' });
  });
});

test('a message of the server is one printable line of bounded length', async () => {
  await using world = await createWorld();
  const message = `gone\u001b[31m\r\nFAKE LOG LINE\u202e${'x'.repeat(5_000)}`;
  world.standIn.scripts.checkpoint.faults = [
    answer(400, { message, code: '400', details: { why: ['a\nb'] } }),
  ];
  const outcome = await world.checkpoint();
  expect(outcome).toMatchObject({ type: 'refused', status: 400 });
  const said = outcome.type === 'refused' ? outcome.message : '';
  expect(said).toMatch(/^HTTP 400: gone \[31m FAKE LOG LINE x+… \(400, \{"why":\["a\\nb"\]\}\)$/);
  expect(said.length).toBeLessThan(800);
});
