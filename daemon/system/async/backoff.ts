import type { Millis } from '../../vocabulary/job.ts';

/** `first` after no failure, doubled with each one (counted from 0) up to `longest`. */
export function doubled(failures: number, first: Millis, longest: Millis): Millis {
  return Math.min(longest, first * 2 ** Math.min(failures, 30));
}

/**
 * How long to wait after `failures` (counted from 0): between a half and the whole of what doubles from `first` to
 * `longest`. `place` in `[0, 1)` says where: by chance, or by the node's name, so that a cluster of daemons that lost
 * the same server does not come back to it in one moment.
 */
export function backoff(
  failures: number,
  place: number,
  first: Millis = 1_000,
  longest: Millis = 60_000,
): Millis {
  return Math.round(doubled(failures, first, longest) * (0.5 + place / 2));
}
