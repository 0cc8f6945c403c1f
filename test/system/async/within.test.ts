import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { within } from '../../../daemon/system/async/within.ts';

const never = new AbortController().signal;

test('what is done in time is as if nobody had looked at the clock', async () => {
  expect(await within(60_000, 'late', never, async () => 7)).toBe(7);
  const failing = within(60_000, 'late', never, () => Promise.reject(new Error('it failed')));
  await expect(failing).rejects.toThrow('it failed');
});

test('what hangs in the kernel is late, and told to go no further', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ckptd-within-'));
  const fifo = join(folder, 'fifo');
  execFileSync('mkfifo', [fifo]);
  let told: AbortSignal | undefined;
  const work = within(20, 'it hangs', never, (signal) => {
    told = signal;
    return readFile(fifo);
  });
  await expect(work).rejects.toThrow('it hangs');
  expect(told?.reason).toEqual(new Error('it hangs'));
  // Lets go of the thread.
  writeFileSync(fifo, '');
  rmSync(folder, { recursive: true });
});

test('the signal of the caller is the work’s, too', async () => {
  const stop = new AbortController();
  const work = within(60_000, 'late', stop.signal, async (signal) => {
    stop.abort(new Error('the engine ends'));
    signal.throwIfAborted();
  });
  await expect(work).rejects.toThrow('the engine ends');
});
