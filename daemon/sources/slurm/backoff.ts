import type { Millis } from '../../vocabulary/job.ts';

/** How long to wait after `failures` (counted from 0): doubling from `first` to `longest`. */
export function backoff(failures: number, first: Millis = 1_000, longest: Millis = 60_000): Millis {
  return Math.min(longest, first * 2 ** Math.min(failures, 30));
}
