import { expect, test } from 'vitest';
import { AtMost } from '../../daemon/system/at-most.ts';

test('so many at a time, the next as soon as any has ended, however it ended', async () => {
  const two = new AtMost(2);
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
