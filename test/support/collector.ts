import type { DaemonEvent } from '../../daemon/vocabulary/event.ts';

/** Keeps what a source emits, and lets a test wait for it. */
export class Collector {
  readonly events: DaemonEvent[] = [];
  readonly #waiting = new Set<() => void>();

  readonly emit = (event: DaemonEvent): void => {
    this.events.push(event);
    for (const wake of this.#waiting) wake();
  };

  /** Resolves once `count` events have come; the test's own timeout is the limit. */
  async reaches(count: number): Promise<readonly DaemonEvent[]> {
    while (this.events.length < count) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.add(resolve);
      await promise;
      this.#waiting.delete(resolve);
    }
    return this.events;
  }
}
