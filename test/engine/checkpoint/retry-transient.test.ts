import { expect, test } from 'vitest';
import { TransientError } from '../../../daemon/engine/checkpoint/dump/transient-error.ts';
import { retryTransient } from '../../../daemon/engine/checkpoint/retry-transient.ts';

/** Takes so long for each try, which all fail; resolves to how many there were. */
async function triesOf(tryMs: number, mostMs: number, cause: Error): Promise<number> {
  let [now, tries] = [0, 0];
  const clock = {
    now: () => now,
    sleep: async (ms: number) => {
      now += ms;
    },
  };
  const take = async () => {
    tries++;
    now += tryMs;
    throw new Error('refused', { cause });
  };
  const source = { clock, signal: new AbortController().signal };
  const all = retryTransient(source, { empty: async () => undefined }, mostMs, take);
  await expect(all).rejects.toThrow('refused');
  return tries;
}

test.each([
  ['short', 50, 5],
  ['long', 2_500, 1],
])('what is refused for a moment is tried again, as long as it was %s', async (_, tryMs, tries) => {
  expect(await triesOf(tryMs, 2_000, new TransientError('in flight'))).toBe(tries);
});

test('what is refused for good is tried once', async () => {
  expect(await triesOf(50, 2_000, new Error('for good'))).toBe(1);
});
