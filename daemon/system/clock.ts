import type { EpochMs, Millis } from '../vocabulary/job.ts';
import type { Clock } from './ports.ts';

/** The two clocks of the machine, in milliseconds. */
export interface RawClocks {
  /** Time of day: may be stepped either way. */
  wall(): number;
  /** Never steps; its origin is arbitrary. */
  monotonic(): number;
}

const machine: RawClocks = { wall: () => Date.now(), monotonic: () => performance.now() };

/** The longest timer of Node; a longer one would fire at once. */
const LONGEST_TIMER: Millis = 2 ** 31 - 1;

/**
 * Wall time that never goes back within this process. It follows the wall clock forward. If the wall clock is stepped
 * back, time goes on from its last value at the pace of the monotonic clock, until the wall clock has caught up. So
 * what is due stays due, and nothing is due twice.
 */
export function systemClock(raw: RawClocks = machine): Clock {
  let last = { value: Math.floor(raw.wall()), monotonic: raw.monotonic() };
  return {
    now(): EpochMs {
      const wall = Math.floor(raw.wall());
      const monotonic = raw.monotonic();
      if (wall >= last.value) last = { value: wall, monotonic };
      else {
        // Whole milliseconds only; the rest stays in `monotonic`, or frequent calls would stop the time.
        const passed = Math.max(0, Math.floor(monotonic - last.monotonic));
        last = { value: last.value + passed, monotonic: last.monotonic + passed };
      }
      return last.value;
    },
    async sleep(ms, signal) {
      for (let left = ms; ; left -= LONGEST_TIMER) {
        await pause(Math.min(Math.max(left, 0), LONGEST_TIMER), signal);
        if (left <= LONGEST_TIMER) return;
      }
    },
  };
}

/** Rejects with the signal's own reason, which `timers/promises` would wrap in an AbortError. */
function pause(ms: Millis, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
