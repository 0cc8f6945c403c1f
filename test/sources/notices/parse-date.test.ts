import { expect, test } from 'vitest';
import { looksLikeDate, parseDate, parseHttpDate } from '../../../daemon/sources/notices/parse-date.ts';
import fc from '../../support/properties.ts';

const NINE = Date.UTC(2026, 0, 21, 9, 0, 43);

test.each([
  ['2026-01-21T09:00:43Z', NINE],
  ['2026-01-21T09:00:43.250Z', NINE + 250],
  ['2026-01-21T09:00:43.123456789Z', NINE + 123],
  ['2026-01-21T10:30:43+01:30', NINE],
  ['2026-01-21T04:00:43-0500', NINE],
  ['21 Jan 2026 09:00:43 GMT', NINE],
  ['Wed, 21 Jan 2026 09:00:43 GMT', NINE],
  // The day of the week is wrong, and means nothing.
  ['Mon, 21 Jan 2026 09:00:43 GMT', NINE],
  ['  2026-01-21T09:00:43Z\n', NINE],
  ['1 Feb 2026 00:00:00 GMT', Date.UTC(2026, 1, 1)],
  ['2024-02-29T00:00:00Z', Date.UTC(2024, 1, 29)],
])('%j is a date', (text, at) => {
  expect(parseDate(text)).toBe(at);
});

test.each([
  '',
  'soon',
  '0',
  '1769000443',
  '2026-01-21',
  '2026-01-21T09:00:43',
  '2026-01-21 09:00:43Z',
  '2026-02-30T00:00:00Z',
  '2025-02-29T00:00:00Z',
  '2026-13-01T00:00:00Z',
  '2026-01-21T24:00:01Z',
  '2026-01-21T09:60:00Z',
  '2026-01-21T09:00:43+24:00',
  '31 Feb 2026 09:00:43 GMT',
  '21 Foo 2026 09:00:43 GMT',
  '21 Jan 2026 09:00:43',
  '21 Jan 2026 09:00:43 PST',
  'Wednesday, 21-Jan-26 09:00:43 GMT',
  '01/21/2026 09:00:43',
  '<html>21 Jan 2026 09:00:43 GMT</html>',
  `2026-01-21T09:00:43Z${' '.repeat(100)}`,
])('%j is no date', (text) => {
  expect(parseDate(text)).toBeNull();
});

test('every time between 2000 and 2100 is read back from either way to write it', () => {
  const time = fc.date({ min: new Date('2000-01-01'), max: new Date('2100-01-01'), noInvalidDate: true });
  fc.assert(
    fc.property(time, (date) => {
      const seconds = Math.floor(date.getTime() / 1000) * 1000;
      expect(parseDate(date.toISOString())).toBe(date.getTime());
      expect(parseDate(date.toUTCString())).toBe(seconds);
      expect(parseDate(date.toUTCString().slice(5))).toBe(seconds);
      expect(parseHttpDate(date.toUTCString())).toBe(seconds);
    }),
  );
});

test('no text whatever makes a date that is not a number', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[\d TZ:.,GMTJanFeb+-]{0,70}$/)), (text) => {
      const at = parseDate(text);
      expect(at === null || Number.isInteger(at)).toBe(true);
      if (at !== null) expect(Math.abs(at)).toBeLessThan(8.64e15);
    }),
  );
});

test('a time that cannot be read is told from a page that holds no time', () => {
  expect(['2026-01-05 18:02:00', '01/05/2026 18:02', '5 Jan 2026 18:02 CST'].map(looksLikeDate)).toEqual([
    true,
    true,
    true,
  ]);
  expect(
    ['', 'OK', '404', 'none', '<p>2026 18:02</p>', '{"time":"2026-01-05T18:02:00Z"}'].map(looksLikeDate),
  ).toEqual([false, false, false, false, false, false]);
});
