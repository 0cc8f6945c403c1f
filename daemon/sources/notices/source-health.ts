import type { Clock, Log } from '../../system/ports.ts';
import type { EpochMs, Millis } from '../../vocabulary/job.ts';

/** Since the start of the process. */
export interface HealthCounters {
  readonly requests: number;
  readonly errors: number;
  /** Since when there was no answer; null while there are answers. */
  readonly awaySince: EpochMs | null;
}

/** How often the log repeats that a source does not answer. */
const REMIND_EVERY: Millis = 3_600_000;

/** Tracks whether a source of notices answers: a log line when that changes, and counters. */
export class SourceHealth {
  readonly #source: string;
  readonly #clock: Clock;
  readonly #log: Log;
  #requests = 0;
  #errors = 0;
  #inRow = 0;
  #since: EpochMs | null = null;
  #saidAt: EpochMs = 0;
  readonly #told = new Set<string>();

  constructor(source: string, clock: Clock, log: Log) {
    this.#source = source;
    this.#clock = clock;
    this.#log = log;
  }

  /** A request is sent, or a file is read. */
  asked(): void {
    this.#requests += 1;
  }

  /** The source gave an answer that can be read. */
  answered(): void {
    if (this.#since !== null) {
      this.#log.info(
        { source: this.#source, failures: this.#inRow, away_ms: this.#clock.now() - this.#since },
        `notices from ${this.#source} can be read again`,
      );
    }
    this.#inRow = 0;
    this.#since = null;
  }

  /** The source gave no answer, or one that cannot be read. */
  failed(problem: string): void {
    const now = this.#clock.now();
    this.#errors += 1;
    this.#inRow += 1;
    this.#since ??= now;
    if (this.#inRow > 1 && now - this.#saidAt < REMIND_EVERY) return;
    this.#saidAt = now;
    this.#log.warn(
      { source: this.#source, problem, failures: this.#inRow, since: new Date(this.#since).toISOString() },
      `notices from ${this.#source} cannot be read: the last ones stay active, retrying`,
    );
  }

  /** Logs something odd that is no failure, once per process: the same answer comes again and again. */
  odd(message: string, fields: object = {}): void {
    // Bounded: a server whose answers all differ must not fill the memory.
    if (this.#told.has(message) || this.#told.size >= 100) return;
    this.#told.add(message);
    this.#log.warn({ source: this.#source, ...fields }, message);
  }

  /** Failures since the last answer. */
  get inRow(): number {
    return this.#inRow;
  }

  counters(): HealthCounters {
    return { requests: this.#requests, errors: this.#errors, awaySince: this.#since };
  }
}
