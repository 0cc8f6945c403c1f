import type { Millis } from '../../vocabulary/job.ts';

/** `first` for 0 failures, doubled with each failure up to `longest`. */
export function doubled(failures: number, first: Millis, longest: Millis): Millis {
  return Math.min(longest, first * 2 ** Math.min(failures, 30));
}

/**
 * The wait after `failures` (from 0): between a half and the whole of a time that doubles from `first` to `longest`.
 * `place` in `[0, 1)` chooses where, at random or by the node's name. So daemons that lost the same server do not all
 * come back to it in one moment.
 */
export function backoff(
  failures: number,
  place: number,
  first: Millis = 1_000,
  longest: Millis = 60_000,
): Millis {
  return Math.round(doubled(failures, first, longest) * (0.5 + place / 2));
}
