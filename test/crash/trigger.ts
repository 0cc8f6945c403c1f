import type { Kill, Moment } from './scenario.ts';

/** Waits for the point of a kill, and acts in the very moment. */
export class Trigger {
  #armed: { kill: Kill; seen: number; fire: () => void } | null = null;

  /** Resolves when `act` was called: at the kill's point, or `atMostMs` from now where that never comes. */
  async at(kill: Kill, atMostMs: number, act: () => void): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(() => this.#armed?.fire(), 'ms' in kill.point ? kill.point.ms : atMostMs);
    this.#armed = {
      kill,
      seen: 0,
      fire: () => {
        clearTimeout(timer);
        this.#armed = null;
        act();
        resolve();
      },
    };
    await promise;
  }

  saw(moment: Moment, isRestore = false): void {
    const armed = this.#armed;
    if (armed === null || !('moment' in armed.kill.point)) return;
    const { point } = armed.kill;
    if (point.moment !== moment || (point.restoresOnly && !isRestore)) return;
    armed.seen += 1;
    if (armed.seen === point.nth) armed.fire();
  }
}
