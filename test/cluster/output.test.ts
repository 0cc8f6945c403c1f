import { expect, test } from 'vitest';
import { counted } from './output.ts';

test('a whole output has no problem', () => {
  expect(counted('start on n1\ni=1\ni=2\nlast=2\n')).toEqual({
    starts: ['n1'],
    count: 2,
    last: 2,
    problems: [],
  });
  expect(counted('')).toEqual({ starts: [], count: 0, last: null, problems: [] });
  expect(counted('start on n1\ngot TERM\n', ['got TERM']).problems).toEqual([]);
});

test.each([
  ['a gap', 'i=1\ni=3\n', ['line 2: 3 follows 1']],
  ['a duplicate', 'i=1\ni=1\n', ['line 2: 1 follows 1']],
  ['a beginning that is lost', 'i=2\n', ['line 1: 2 follows 0']],
  ['an end that is not the last number', 'i=1\nlast=2\n', ['line 2: ends at 2']],
  ['two ends', 'i=1\nlast=1\nlast=1\n', ['line 3: ends at 1']],
  ["somebody else's line", 'slurmstepd: error: x\ni=1\n', ['line 1: slurmstepd: error: x']],
  ['zeroes where a file was longer', '\0\0i=1\n', ['line 1: \0\0i=1']],
  ['a line that is cut off', 'i=1\ni=', ['the last line is cut off']],
])('%s is a problem', (_, text, problems) => {
  expect(counted(text).problems).toEqual(problems);
});
