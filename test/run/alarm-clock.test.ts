import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createAlarmClock } from '../../daemon/run/alarm-clock.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

/** The daemon's clock is ahead of the timers by what the host's clock was stepped. */
function alarmClock() {
  const rung: number[] = [];
  let stepped = 0;
  const clock = { now: () => Date.now() + stepped, sleep: async () => {} };
  const alarm = createAlarmClock(clock, () => rung.push(clock.now()));
  const step = (ms: number) => {
    stepped += ms;
  };
  return { alarm, rung, step };
}

test('it rings once, at its time', () => {
  const { alarm, rung } = alarmClock();
  alarm.set(1_000_000 + 90_000);
  vi.advanceTimersByTime(200_000);
  expect(rung).toEqual([1_090_000]);
});

test('a newer time takes the place of the older one, and null of both', () => {
  const { alarm, rung } = alarmClock();
  alarm.set(1_010_000);
  alarm.set(1_005_000);
  vi.advanceTimersByTime(7_000);
  expect(rung).toEqual([1_005_000]);
  alarm.set(1_020_000);
  alarm.set(null);
  vi.advanceTimersByTime(100_000);
  expect(rung).toHaveLength(1);
});

test('a clock that jumps ahead is noticed within half a minute', () => {
  const { alarm, rung, step } = alarmClock();
  alarm.set(1_000_000 + 3_600_000);
  vi.advanceTimersByTime(1_000);
  step(3_600_000);
  vi.advanceTimersByTime(30_000);
  expect(rung).toHaveLength(1);
});

test('a time that is past rings at once', () => {
  const { alarm, rung } = alarmClock();
  alarm.set(1);
  vi.advanceTimersByTime(0);
  expect(rung).toHaveLength(1);
});

test('it is silent once it is disposed of', () => {
  const { alarm, rung } = alarmClock();
  alarm.set(1_001_000);
  alarm[Symbol.dispose]();
  vi.advanceTimersByTime(10_000);
  expect(rung).toEqual([]);
});
