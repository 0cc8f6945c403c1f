import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DeadlineError, withDeadline, withHardDeadline } from '../../../daemon/system/async/deadline.ts';
import { ManualClock } from '../../support/clock.ts';

const never = new AbortController().signal;

test('what is done in time is as if nobody had looked at the clock', async () => {
  expect(await withHardDeadline(60_000, 'late', never, async () => 7)).toBe(7);
  const failing = withHardDeadline(60_000, 'late', never, () => Promise.reject(new Error('it failed')));
  await expect(failing).rejects.toThrow('it failed');
});

test('what hangs in the kernel is late, and told to go no further', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ckptd-deadline-'));
  const fifo = join(folder, 'fifo');
  execFileSync('mkfifo', [fifo]);
  let told: AbortSignal | undefined;
  const work = withHardDeadline(20, 'it hangs', never, (signal) => {
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
  const work = withHardDeadline(60_000, 'late', stop.signal, async (signal) => {
    stop.abort(new Error('the engine ends'));
    signal.throwIfAborted();
  });
  await expect(work).rejects.toThrow('the engine ends');
});

test('work that obeys its signal ends at the deadline, with the reason that it was given', async () => {
  const clock = new ManualClock();
  const work = withDeadline(100, never, (signal) => clock.sleep(60_000, signal), clock);
  const ended = expect(work).rejects.toBeInstanceOf(DeadlineError);
  clock.advance(100);
  await ended;
});

test('a deadline that is not needed any more leaves no timer', async () => {
  const clock = new ManualClock();
  expect(await withDeadline(100, never, async () => 7, clock)).toBe(7);
  const limited = await withDeadline(100, never, async (signal) => signal, clock);
  clock.advance(1_000);
  expect(limited.aborted).toBe(false);
});

test('no limit is the signal of the caller alone', async () => {
  expect(await withDeadline(null, never, async (signal) => signal)).toBe(never);
});
