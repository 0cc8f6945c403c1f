import { expect, test } from 'vitest';
import { cronProblem } from '../../../daemon/config/schema/cron-line.ts';
import fc from '../../support/properties.ts';

test.each(['*/15 * * * *', '0 0 L * *', '0 8-18 * * mon-fri', '@hourly', '0,30 * * * * *', '*/10 * * * * *'])(
  '%s is a cron line',
  (line) => {
    expect(cronProblem(line)).toBeNull();
  },
);

test.each([
  ['', 'must have five fields (or six, with seconds first), or be like @hourly'],
  [
    'a b c d e',
    '"a" is not possible as minute; "b" is not possible as hour; "c" is not possible as day of month; "d" is not possible as month; "e" is not possible as day of week',
  ],
  ['*/0 * * * *', '"*/0" is not possible as minute'],
  ['@never', 'pattern includes illegal characters'],
  ['0,55,5 * * * * *', 'must not fire more often than every 10s'],
  ['0-12345678901234567890123 * * * *', '12345678901234567890 is out of range'],
])('%j: %s', (line, problem) => {
  expect(cronProblem(line)).toBe(problem);
});

test('any text has an answer, and soon', () => {
  const fields = fc.array(fc.constantFrom(...'0123456789*/-,LW#?@ \taz'), { maxLength: 80 });
  fc.assert(
    fc.property(fields, (parts) => {
      expect(cronProblem(parts.join(''))).toSatisfy(
        (answer) => answer === null || typeof answer === 'string',
      );
    }),
    { numRuns: 2000 },
  );
});
