import { expect, test } from 'vitest';
import { Semaphore } from '../../../daemon/system/async/semaphore.ts';

test('so many at a time, the next as soon as any has ended, however it ended', async () => {
  const two = new Semaphore(2);
  const begun: string[] = [];
  const ends = new Map<string, PromiseWithResolvers<string>>();
  const run = (name: string) =>
    two.with(() => {
      begun.push(name);
      const end = Promise.withResolvers<string>();
      ends.set(name, end);
      return end.promise;
    });
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map(run);
  expect(begun).toEqual(['a', 'b']);
  ends.get('b')!.reject(new Error('no'));
  await expect(b).rejects.toThrow('no');
  expect(begun).toEqual(['a', 'b', 'c']);
  ends.get('c')!.resolve('c');
  expect(await c).toBe('c');
  expect(begun).toEqual(['a', 'b', 'c', 'd']);
  for (const name of ['a', 'd']) ends.get(name)!.resolve(name);
  expect(await Promise.all([a, d])).toEqual(['a', 'd']);
  expect(await two.with(async () => 'free')).toBe('free');
});

test('who does not want to wait any more leaves the queue, and the others have their turns', async () => {
  const one = new Semaphore(1);
  const { promise, resolve } = Promise.withResolvers<void>();
  const first = one.with(() => promise);
  const stop = new AbortController();
  const begun: string[] = [];
  const second = one.with(async () => void begun.push('second'), stop.signal);
  const third = one.with(async () => void begun.push('third'), new AbortController().signal);
  stop.abort(new Error('too late'));
  await expect(second).rejects.toThrow('too late');
  // Nor does it begin where it would not have to wait.
  await expect(new Semaphore(1).with(async () => void begun.push('fourth'), stop.signal)).rejects.toThrow();
  resolve();
  await Promise.all([first, third]);
  expect(begun).toEqual(['third']);
});
