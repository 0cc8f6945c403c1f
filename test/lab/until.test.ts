import { expect, test } from 'vitest';
import { LabError } from './lab-error.ts';
import { until } from './until.ts';

test('until returns the first truthy value, and takes an error for "not yet"', async () => {
  const answers = [() => 0, () => Promise.reject(new Error('not yet')), () => 'yes'];
  expect(await until(() => answers.shift()!(), { what: 'an answer', everyMs: 1 })).toBe('yes');
});

test('a timeout says what was waited for, what was seen last, and more', async () => {
  const waiting = until(() => false, { what: 'rain', timeoutMs: 5, everyMs: 1, details: () => 'sunny' });
  await expect(waiting).rejects.toThrow(LabError);
  await expect(waiting).rejects.toThrow('timed out after 0.005 s waiting for rain (last: false)\nsunny');
  const failing = () => Promise.reject(new Error('no clouds'));
  const cause = { cause: new Error('no clouds') };
  await expect(until(failing, { what: 'rain', timeoutMs: 5, everyMs: 1 })).rejects.toMatchObject(cause);
});
