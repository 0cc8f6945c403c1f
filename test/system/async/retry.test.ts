import { expect, test } from 'vitest';
import { type BoundedAttempt, retry, retryUntil } from '../../../daemon/system/async/retry.ts';
import { sleepUnlessWoken } from '../../../daemon/system/async/sleep.ts';
import { ManualClock } from '../../support/clock.ts';

const { signal } = new AbortController();

test('attempts follow one another after the pause that each asks for, and are counted', async () => {
  const clock = new ManualClock(0);
  const made: [failures: number, at: number][] = [];
  const result = retry({ clock, signal }, async (failures) => {
    made.push([failures, clock.now()]);
    return failures === 2 ? { done: 'there' } : { againAfter: 100 * 2 ** failures };
  });
  await clock.whenSleeping();
  clock.advance(100);
  await clock.whenSleeping();
  clock.advance(200);
  expect(await result).toBe('there');
  expect(made).toEqual([
    [0, 0],
    [1, 100],
    [2, 300],
  ]);
});

test('a pause that would end after the time is not begun: the last result counts', async () => {
  const clock = new ManualClock(0);
  const attempt = async (failures: number): Promise<BoundedAttempt<string>> => ({
    againAfter: 100,
    last: `attempt ${failures}`,
  });
  const result = retryUntil({ clock, signal, until: 200 }, attempt);
  await clock.whenSleeping();
  clock.advance(100);
  expect(await result).toBe('attempt 1');
});

test('what wakes it ends the pause and not the attempts; the signal ends both', async () => {
  const clock = new ManualClock(0);
  const wake = new AbortController();
  const stop = new AbortController();
  let attempts = 0;
  const result = retry({ clock, signal: stop.signal, wake: wake.signal }, async () => {
    if (++attempts === 2) stop.abort(new Error('the daemon ends'));
    return { againAfter: 1_000 };
  });
  const ended = expect(result).rejects.toThrow('the daemon ends');
  await clock.whenSleeping();
  wake.abort();
  await ended;
  expect([attempts, clock.now()]).toEqual([2, 0]);
});

test('a sleep that is woken resolves, and one whose signal aborts rejects', async () => {
  const clock = new ManualClock(0);
  const wake = new AbortController();
  const woken = sleepUnlessWoken(clock, 1_000, wake.signal, signal);
  await clock.whenSleeping();
  wake.abort();
  await woken;
  await sleepUnlessWoken(clock, 1_000, wake.signal, signal);
  const stopped = AbortSignal.abort(new Error('stopped'));
  await expect(sleepUnlessWoken(clock, 1_000, wake.signal, stopped)).rejects.toThrow('stopped');
});
