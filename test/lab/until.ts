import { setTimeout as delay } from 'node:timers/promises';
import { LabError } from './lab-error.ts';

export interface UntilOptions {
  /** What is being waited for; completes "timed out waiting for …". */
  what: string;
  /** Default 10 s. */
  timeoutMs?: number;
  /** Pause between two looks; default 50 ms. */
  everyMs?: number;
  /** Adds to the message of a timeout, e.g. the end of a log. */
  details?: () => string | Promise<string>;
}

type Truthy<T> = Exclude<T, false | 0 | '' | null | undefined>;

/**
 * Polls until `condition` returns something truthy, and returns that. A condition that throws counts as not yet;
 * what it threw or returned last is in the LabError of a timeout.
 */
export async function until<T>(condition: () => T | Promise<T>, options: UntilOptions): Promise<Truthy<T>> {
  const { what, timeoutMs = 10_000, everyMs = 50, details } = options;
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    let last: unknown;
    try {
      const value = await condition();
      if (value) return value as Truthy<T>;
      last = value;
    } catch (error) {
      last = error;
    }
    if (performance.now() >= deadline) {
      const seen = last instanceof Error ? last.message : JSON.stringify(last);
      const more = details ? `\n${await details()}` : '';
      throw new LabError(`timed out after ${timeoutMs / 1000} s waiting for ${what} (last: ${seen})${more}`, {
        cause: last,
      });
    }
    await delay(everyMs);
  }
}
