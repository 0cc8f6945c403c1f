import { describe, expect, test } from 'vitest';
import { attemptWait, credentialsWait, pollWait } from '../../../daemon/perform/api/retries.ts';
import { retryAfter } from '../../../daemon/perform/api/retry-after.ts';
import { createWorld } from './world.ts';

const NOW = Date.parse('2026-11-23T12:00:00Z');

describe('waits', () => {
  test('attempts are made after times that double up to their cap, by chance between the half and the whole of it', () => {
    const range = (random: number) => Array.from({ length: 9 }, (_, n) => attemptWait(n, () => random));
    expect(range(0)).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000]);
    expect(range(1)).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
    expect(attemptWait(5_000, () => 1)).toBe(30_000);
  });

  test('polls grow from 0.25 s to 5 s', () => {
    expect([0, 1, 2, 3, 4, 5, 6].map((n) => pollWait(n, () => 1))).toEqual([
      250, 500, 1_000, 2_000, 4_000, 5_000, 5_000,
    ]);
    expect(pollWait(6, () => 0)).toBe(2_500);
  });

  test('a refused token is tried after 60 s, and then after as long as it lasted, up to 10 min', () => {
    const waits: number[] = [];
    for (let since = 0; waits.length < 7; ) {
      waits.push(credentialsWait(since, () => 0.5));
      since += waits.at(-1)!;
    }
    expect(waits).toEqual([60_000, 60_000, 120_000, 240_000, 480_000, 600_000, 600_000]);
  });

  test.each([
    ['7', 7_000],
    ['0', 0],
    ['999999', 120_000],
    ['Mon, 23 Nov 2026 12:00:30 GMT', 30_000],
    ['Monday, 23-Nov-26 12:00:30 GMT', 30_000],
    ['Mon, 23 Nov 2026 11:00:00 GMT', 0],
    ['Tue, 24 Nov 2026 12:00:00 GMT', 120_000],
    ['-5', null],
    ['1.5', null],
    ['soon', null],
    ['2026-11-23T12:00:30Z', null],
    ['', null],
    [null, null],
  ])('Retry-After %j is %j ms', (header, expected) => {
    expect(retryAfter(header, NOW, () => 0)).toBe(expected);
  });
});

describe('a checkpoint', () => {
  const headers = (value: string) =>
    ({ type: 'answer', status: 429, headers: { 'retry-after': value } }) as const;

  test('waits as Retry-After says, and a tenth more at most', async () => {
    await using world = await createWorld();
    world.standIn.scripts.checkpoint.faults = [headers('10'), headers('Mon, 23 Nov 2026 12:00:40 GMT')];
    expect((await world.checkpoint()).type).toBe('accepted');
    // 12:00:10.5 after the first: 29.5 s are left, and 5 % of them.
    expect(world.clock.sleeps).toEqual([10_500, 30_975]);
  });

  test('that the server does not know yet is asked for every 3 s for 40 s', async () => {
    await using world = await createWorld();
    world.standIn.scripts.checkpoint.always = { type: 'answer', status: 404, body: { message: 'not found' } };
    expect(await world.checkpoint()).toEqual({ type: 'not-checkpointable', message: 'HTTP 404: not found' });
    expect(world.clock.sleeps).toEqual(Array.from({ length: 13 }, () => 3_000));
  });

  test('that gets registered within the 40 s is accepted', async () => {
    await using world = await createWorld();
    world.standIn.scripts.checkpoint.faults = Array.from({ length: 5 }, () => ({
      type: 'answer',
      status: 404,
    }));
    expect((await world.checkpoint()).type).toBe('accepted');
    expect(world.clock.sleeps.length).toBe(5);
  });

  test('gives up before a wait that would end too late', async () => {
    await using world = await createWorld();
    world.standIn.scripts.checkpoint.always = { type: 'answer', status: 503, body: { message: 'busy' } };
    expect(await world.checkpoint(3_000)).toEqual({ type: 'unavailable', message: 'HTTP 503: busy' });
    expect(world.clock.sleeps).toEqual([375, 750, 1_500]);
    expect(await world.checkpoint(0)).toMatchObject({ type: 'unavailable' });
    expect(world.standIn.entries.length).toBe(4);
    expect(world.api.counters()).toEqual([
      { name: 'ckptd_api_requests_total', labels: { route: 'checkpoint', class: '5xx' }, value: 4 },
      { name: 'ckptd_api_retries_total', labels: { route: 'checkpoint' }, value: 3 },
    ]);
  });
});

test('a restore hands the wait on', async () => {
  await using world = await createWorld();
  world.standIn.scripts.restore.always = { type: 'answer', status: 503, headers: { 'retry-after': '8' } };
  expect(await world.restore()).toEqual({ type: 'retry', afterMs: 8_400, message: 'HTTP 503' });
});
