import { expect, test } from 'vitest';
import { parseDumpStats } from '../../../daemon/engine/criu/stats.ts';

// `stats-dump` of CRIU 4.1.1, of a bash loop on a lab node.
const IMAGE = Buffer.from(
  '40591055063309572400 00000a2208ad0210c7dc0118dc0b20af0228a2013000386a40004800501058106000 68007000'.replace(
    / /g,
    '',
  ),
  'hex',
);

test('the freezing and the frozen time', () => {
  expect(parseDumpStats(IMAGE)).toEqual({ freezingUs: 301, frozenUs: 28_231 });
});

test('anything else is null', () => {
  const changed = (at: number, value: number) => {
    const copy = Buffer.from(IMAGE);
    copy[at] = value;
    return copy;
  };
  expect(parseDumpStats(Buffer.alloc(0))).toBe(null);
  expect(parseDumpStats(Buffer.alloc(5_000))).toBe(null);
  expect(parseDumpStats(changed(0, 0))).toBe(null);
  expect(parseDumpStats(changed(8, 0x25))).toBe(null);
  expect(parseDumpStats(changed(13, 0x23))).toBe(null);
  for (let length = 0; length < IMAGE.length; length++)
    expect(parseDumpStats(IMAGE.subarray(0, length))).toBe(null);
  // Every byte may be any: never more than a null or two numbers.
  for (let at = 0; at < IMAGE.length; at++)
    for (const value of [0, 0x7f, 0x80, 0xff]) {
      const stats = parseDumpStats(changed(at, value));
      if (stats) for (const us of Object.values(stats)) expect(Number.isSafeInteger(us)).toBe(true);
    }
});
