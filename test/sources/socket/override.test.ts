import { expect, test } from 'vitest';
import { readOverride } from '../../../daemon/sources/socket/override.ts';
import type { Log } from '../../../daemon/system/ports.ts';
import fc from '../../support/properties.ts';

function read(env: Record<string, string>): { override: object; warned: string[] } {
  const warned: string[] = [];
  const warn = (_fields: object, message: string) => void warned.push(message);
  const log: Log = { debug: warn, info: warn, warn, error: warn, fatal: warn };
  return { override: readOverride(env, { log, jobId: 1 }), warned };
}

test.each([
  ['10s', 10_000],
  ['90s', 90_000],
  ['15m', 900_000],
  [' 2H ', 7_200_000],
  ['7d', 604_800_000],
  ['604800s', 604_800_000],
])('interval %j', (text, every) => {
  expect(read({ SPANK_CKPT_INTERVAL: text })).toEqual({ override: { every }, warned: [] });
});

test.each([
  '9s',
  '8d',
  '15',
  '0m',
  '-5m',
  '1.5h',
  '15 minutes',
  '1h30m',
  '99999999s',
  '١٥m',
  '1e3s',
  'm',
  '15m\n; rm',
])('interval %j is ignored, and the rest is kept', (text) => {
  const { override, warned } = read({
    SPANK_CKPT_INTERVAL: text,
    SPANK_CKPT_KIND: 'rootfs',
    SPANK_CKPT_OFF: '0',
  });
  expect(override).toEqual({ kind: 'rootfs', off: false });
  expect(warned).toEqual([expect.stringContaining('SPANK_CKPT_INTERVAL is ignored')]);
});

test.each([
  ['1', { off: true }],
  ['YES', { off: true }],
  ['true', { off: true }],
  ['no', { off: false }],
  ['', {}],
  ['2', {}],
])('off %j', (text, override) => {
  expect(read({ SPANK_CKPT_OFF: text }).override).toEqual(override);
});

test('any text is a value or a line in the log, never an error', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string(), fc.string(), (interval, kind, off) => {
      const { override, warned } = read({
        SPANK_CKPT_INTERVAL: interval,
        SPANK_CKPT_KIND: kind,
        SPANK_CKPT_OFF: off,
      });
      const given = [interval, kind, off].filter((text) => text.trim() !== '');
      expect(Object.keys(override).length + warned.length).toBe(given.length);
    }),
  );
});
