import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Schedules, watchSchedules } from '../../daemon/sources/schedule.ts';
import type { DaemonEvent } from '../../daemon/vocabulary/event.ts';

const NOON = Date.parse('2026-11-23T12:00:30Z');
let schedules: Schedules;
let slots: string[];

beforeEach(() => {
  vi.useFakeTimers({ now: NOON });
  slots = [];
  schedules = watchSchedules({
    clock: { now: () => Date.now(), sleep: async () => {} },
    log: { debug() {}, info() {}, warn() {}, error() {}, fatal() {} },
    emit: (event: DaemonEvent) => {
      if (event.type === 'slot')
        slots.push(`${event.schedule} ${new Date(event.at).toISOString().slice(11, 16)}`);
    },
  });
});
afterEach(() => {
  schedules[Symbol.dispose]();
  vi.useRealTimers();
});

const minutes = (n: number) => vi.advanceTimersByTimeAsync(n * 60_000);

test('a cron line fires at its times', async () => {
  schedules.set(['*/15 * * * *']);
  await minutes(46);
  expect(slots).toEqual(['*/15 * * * * 12:15', '*/15 * * * * 12:30', '*/15 * * * * 12:45']);
});

test('a line that is set again goes on, one that is left out stops', async () => {
  schedules.set(['*/10 * * * *', '*/15 * * * *']);
  await minutes(5);
  schedules.set(['*/10 * * * *']);
  await minutes(16);
  expect(slots).toEqual(['*/10 * * * * 12:10', '*/10 * * * * 12:20']);
});

test('a clock that jumps ahead past many slots makes for one at most', async () => {
  schedules.set(['* * * * *']);
  await minutes(2);
  const before = slots.length;
  vi.setSystemTime(NOON + 6 * 3_600_000);
  await minutes(1);
  expect(slots.length - before).toBeLessThanOrEqual(2);
});

test('a clock that is set back by an hour does not silence the schedule for an hour', async () => {
  schedules.set(['*/15 * * * *']);
  await minutes(16);
  expect(slots).toHaveLength(1);
  vi.setSystemTime(NOON - 3_600_000);
  await minutes(16);
  expect(slots.slice(1)).toEqual(['*/15 * * * * 11:15']);
});
