import { expect, test } from 'vitest';
import { drainReason, readDrainReason } from '../../daemon/vocabulary/drain-reason.ts';
import fc from '../support/properties.ts';

const anything = fc.oneof(fc.string({ unit: 'binary' }), fc.string());

test('what one daemon writes, another reads: the deadline, to the second and never later', () => {
  const times = fc.integer({ min: 0, max: Date.UTC(9999, 11, 31) });
  fc.assert(
    fc.property(anything, fc.option(times), (source, deadline) => {
      const reason = drainReason({ source, deadline });
      expect(reason).toMatch(/^[\x20-\x7e]{1,200}$/);
      expect(reason).not.toMatch(/["'\\]/);
      const read = readDrainReason(reason);
      expect(read).toEqual({ deadline: deadline === null ? null : Math.floor(deadline / 1_000) * 1_000 });
    }),
  );
});

test.each([Number.NaN, Infinity, -Infinity, 1e300, -1e300, 8.64e15, -8.64e15, -1, 0.5])(
  'a deadline of %d is no error',
  (deadline) => {
    expect(readDrainReason(drainReason({ source: 'file', deadline }))).not.toBeNull();
  },
);

test('any other text is none of ours', () => {
  fc.assert(
    fc.property(anything, (text) => {
      expect(readDrainReason(text)).toBeNull();
      expect(readDrainReason(`ckptd: termination notice ${text}`)).not.toBeNull();
    }),
  );
});
