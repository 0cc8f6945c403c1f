import { expect, test } from 'vitest';
import { formatDuration, parseDuration } from '../../../daemon/config/schema/duration.ts';
import fc from '../../support/properties.ts';

test.each([
  ['0s', 0],
  ['500ms', 500],
  ['90s', 90_000],
  ['15m', 900_000],
  ['2h', 7_200_000],
  ['1d', 86_400_000],
  ['99999999d', 8_639_999_913_600_000],
])('%s is %d ms', (text, length) => {
  expect(parseDuration(text)).toBe(length);
});

test.each(['', '5', 's', '-5s', '+5s', '5 s', '5S', '1.5h', '1h30m', '5s\n', '٥s', '100000000d'])(
  '%j is no duration',
  (text) => {
    expect(parseDuration(text)).toBeNull();
  },
);

test('what was formatted is read back as the same length', () => {
  fc.assert(
    fc.property(fc.nat({ max: 99_999_999 }), fc.constantFrom('ms', 's', 'm', 'h', 'd'), (count, unit) => {
      const length = parseDuration(`${count}${unit}`)!;
      expect(parseDuration(formatDuration(length))).toBe(length);
    }),
  );
});

test('the largest unit that needs no fraction is taken', () => {
  const lengths = [0, 1, 90_000, 120_000, 5_400_000, 86_400_000];
  expect(lengths.map(formatDuration)).toEqual(['0s', '1ms', '90s', '2m', '90m', '1d']);
});
