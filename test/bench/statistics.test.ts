import { expect, test } from 'vitest';
import { parseSdiag } from './rpc-counts.ts';
import { median, summary } from './statistics.ts';
import { table } from './table.ts';

test('a summary does not depend on the order of the samples', () => {
  expect(summary([5, 1, 4, 2, 3])).toEqual({ count: 5, best: 1, median: 3, p95: 4.8, worst: 5 });
  expect(median([1, 2])).toBe(1.5);
  expect(() => summary([])).toThrow(RangeError);
});

test('a table is aligned: text to the left, figures to the right', () => {
  expect(
    table(
      ['what', 'ms'],
      [
        ['up', '10'],
        ['down', '2.5'],
      ],
    ),
  ).toBe(['  what   ms', '  ----  ---', '  up     10', '  down  2.5'].join('\n'));
});

test("sdiag's counts are read, without those that sdiag itself causes", () => {
  const text = `Remote Procedure Call statistics by message type
	REQUEST_PARTITION_INFO                  ( 2009) count:14     ave_time:146    total_time:2053
	REQUEST_STATS_INFO                      ( 2035) count:1      ave_time:84     total_time:84

Remote Procedure Call statistics by user
	root            (       0) count:31     ave_time:195    total_time:6071
`;
  expect([...parseSdiag(text)]).toEqual([['PARTITION_INFO', { count: 14, micros: 2053 }]]);
});
