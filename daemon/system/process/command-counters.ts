import type { Millis } from '../../vocabulary/job.ts';
import type { CommandResult } from '../ports.ts';

export type FailureWhy = Extract<CommandResult, { ok: false }>['why'];

/** Counts the results of the commands of one kind, since the start of the process. */
export interface CommandCounter {
  /** Commands that ended, failures included. */
  runs: number;
  failures: Partial<Record<FailureWhy, number>>;
  /** Wall time from start to end, without the wait in the queue. */
  totalMs: Millis;
}

export class CommandCounters {
  readonly #kinds = new Map<string, CommandCounter>();

  count(kind: string, result: CommandResult, tookMs: Millis): void {
    const counter = this.#kinds.get(kind) ?? { runs: 0, failures: {}, totalMs: 0 };
    this.#kinds.set(kind, counter);
    counter.runs += 1;
    counter.totalMs += tookMs;
    if (!result.ok) counter.failures[result.why] = (counter.failures[result.why] ?? 0) + 1;
  }

  all(): ReadonlyMap<string, Readonly<CommandCounter>> {
    return this.#kinds;
  }
}
