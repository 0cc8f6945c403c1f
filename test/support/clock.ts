import type { Clock } from '../../daemon/system/ports.ts';
import type { EpochMs, Millis } from '../../daemon/vocabulary/job.ts';

interface Sleeper {
  readonly at: EpochMs;
  readonly resolve: () => void;
}

/** A clock that only a test moves. */
export class ManualClock implements Clock {
  #now: EpochMs;
  readonly #sleepers = new Set<Sleeper>();
  readonly #watchers = new Set<() => void>();

  constructor(now: EpochMs = 1_800_000_000_000) {
    this.#now = now;
  }

  now(): EpochMs {
    return this.#now;
  }

  sleep(ms: Millis, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const onAbort = () => {
        this.#sleepers.delete(sleeper);
        reject(signal?.reason);
      };
      const sleeper: Sleeper = {
        at: this.#now + Math.max(0, ms),
        resolve: () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        },
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#sleepers.add(sleeper);
      for (const watcher of [...this.#watchers]) watcher();
    });
  }

  /** Moves the time; wakes whoever slept until then, in the order of their times. */
  advance(ms: Millis): void {
    this.#now += ms;
    const due = [...this.#sleepers].filter((sleeper) => sleeper.at <= this.#now).sort((a, b) => a.at - b.at);
    for (const sleeper of due) {
      this.#sleepers.delete(sleeper);
      sleeper.resolve();
    }
  }

  /** Resolves when at least `count` sleep: the code under test has done what it had to and waits for time. */
  async whenSleeping(count = 1): Promise<void> {
    while (this.#sleepers.size < count) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#watchers.add(resolve);
      await promise;
      this.#watchers.delete(resolve);
    }
  }

  /** When the next sleeper wakes. */
  nextAt(): EpochMs {
    return Math.min(...[...this.#sleepers].map((sleeper) => sleeper.at));
  }

  /** Lets `ms` pass as real time does: from one sleeper's moment to the next, each time waiting for `count` to sleep. */
  async run(ms: Millis, count = 1): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      await this.whenSleeping(count);
      const next = this.nextAt();
      if (next > end) break;
      this.advance(next - this.#now);
    }
    this.advance(end - this.#now);
  }
}
