import type { Clock } from '../system/ports.ts';
import type { EpochMs, Millis } from '../vocabulary/job.ts';

/** A timer counts running time, but the daemon's clock follows the host's. So the clock is checked this often. */
const LONGEST_SLEEP_MS: Millis = 30_000;

export interface AlarmClock extends Disposable {
  /** Calls `ring` once at this time, in place of the time set before; null for never. */
  set(at: EpochMs | null): void;
}

export function createAlarmClock(clock: Clock, ring: () => void): AlarmClock {
  let timer: NodeJS.Timeout | null = null;
  let wanted: EpochMs | null = null;

  function arm(): void {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    if (wanted === null) return;
    const ms = Math.min(Math.max(0, wanted - clock.now()), LONGEST_SLEEP_MS);
    timer = setTimeout(() => {
      timer = null;
      if (wanted === null || clock.now() < wanted) return arm();
      wanted = null;
      ring();
    }, ms);
  }

  return {
    set(at) {
      if (at === wanted && timer !== null) return;
      wanted = at;
      arm();
    },
    [Symbol.dispose]() {
      wanted = null;
      arm();
    },
  };
}
