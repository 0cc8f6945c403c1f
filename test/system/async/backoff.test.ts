import { expect, test } from 'vitest';
import { backoff, doubled } from '../../../daemon/system/async/backoff.ts';

test('waits double up to the longest, each place between the half and the whole of it', () => {
  const waits = (place: number) => [0, 1, 2, 5, 6, 5_000].map((failures) => backoff(failures, place));
  expect(waits(0)).toEqual([500, 1_000, 2_000, 16_000, 30_000, 30_000]);
  expect(waits(0.5)).toEqual([750, 1_500, 3_000, 24_000, 45_000, 45_000]);
  expect(waits(1)).toEqual([1_000, 2_000, 4_000, 32_000, 60_000, 60_000]);
  expect(doubled(3, 250, 1_500)).toBe(1_500);
});
