import { expect, test } from 'vitest';
import { systemClock } from '../../daemon/system/clock.ts';
import fc from '../support/properties.ts';

function machine(wall: number) {
  const raw = { at: wall, up: 0, wall: () => raw.at, monotonic: () => raw.up };
  const pass = (ms: number) => {
    raw.at += ms;
    raw.up += ms;
  };
  return { raw, pass };
}

test('follows the wall clock forward, whatever the monotonic clock says', () => {
  const { raw, pass } = machine(1_000_000);
  const clock = systemClock(raw);
  pass(5_000);
  expect(clock.now()).toBe(1_005_000);
  raw.at += 3_600_000;
  expect(clock.now()).toBe(4_605_000);
});

test('goes on from its last value when the wall clock is stepped back, and meets it again later', () => {
  const { raw, pass } = machine(10_000_000);
  const clock = systemClock(raw);
  raw.at -= 3_600_000;
  expect(clock.now()).toBe(10_000_000);
  pass(15_000);
  expect(clock.now()).toBe(10_015_000);
  pass(15_000.6);
  expect(clock.now()).toBe(10_030_000);
  raw.at += 3_600_000;
  expect(clock.now()).toBe(Math.floor(raw.at));
});

test('does not stand still for a caller who asks more often than every millisecond', () => {
  const { raw, pass } = machine(10_000);
  const clock = systemClock(raw);
  raw.at -= 5_000;
  for (let i = 0; i < 1000; i++) {
    pass(0.3);
    clock.now();
  }
  expect(clock.now()).toBeGreaterThanOrEqual(10_298);
});

test('never goes back and never runs faster than both clocks, over any steps', () => {
  const step = fc.record({
    passed: fc.nat(100_000),
    jump: fc.integer({ min: -10_000_000, max: 10_000_000 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 50 }), (steps) => {
      const { raw, pass } = machine(1e12);
      const clock = systemClock(raw);
      let last = clock.now();
      for (const { passed, jump } of steps) {
        pass(passed);
        raw.at += jump;
        const now = clock.now();
        expect(now).toBeGreaterThanOrEqual(last);
        expect(now).toBeLessThanOrEqual(Math.max(raw.at, last + passed));
        last = now;
      }
    }),
  );
});

test('sleep rejects with the reason of its signal, before and while it sleeps', async () => {
  const clock = systemClock();
  const reason = new Error('stop');
  await expect(clock.sleep(1e12, AbortSignal.abort(reason))).rejects.toBe(reason);
  const controller = new AbortController();
  const asleep = clock.sleep(1e12, controller.signal);
  controller.abort(reason);
  await expect(asleep).rejects.toBe(reason);
});

test('sleep ends', async () => {
  await systemClock().sleep(1);
  await systemClock().sleep(-5);
});
