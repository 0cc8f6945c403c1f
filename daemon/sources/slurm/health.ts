import type { Unavailable } from '../../slurm/commands.ts';
import type { Clock, Log } from '../../system/ports.ts';
import type { EpochMs } from '../../vocabulary/job.ts';

/** Tracks whether one kind of query to Slurm is answered: a log line when that changes, and counters. */
export class Health {
  readonly #what: string;
  readonly #clock: Clock;
  readonly #log: Log;
  #inRow = 0;
  #since: EpochMs | null = null;
  #failures = 0;
  #garbage = 0;

  /** `what` completes the sentence "Slurm no longer answers about …". */
  constructor(what: string, clock: Clock, log: Log) {
    this.#what = what;
    this.#clock = clock;
    this.#log = log;
  }

  answered(): void {
    if (this.#since !== null) {
      const awayMs = this.#clock.now() - this.#since;
      this.#log.info({ awayMs, failures: this.#inRow }, `Slurm answers again about ${this.#what}`);
    }
    this.#inRow = 0;
    this.#since = null;
  }

  failed({ message, garbage }: Unavailable): void {
    this.#failures += 1;
    if (garbage) this.#garbage += 1;
    if (this.#since === null) {
      this.#since = this.#clock.now();
      this.#log.warn(
        { problem: message },
        `Slurm no longer answers about ${this.#what}: the last known state is used`,
      );
    }
    this.#inRow += 1;
  }

  /** Failures since the last answer. */
  get inRow(): number {
    return this.#inRow;
  }

  /** Since the start of the process. */
  counters(): HealthCounters {
    return { failures: this.#failures, garbage: this.#garbage, awaySince: this.#since };
  }
}

export interface HealthCounters {
  readonly failures: number;
  /** Failures with an answer that cannot be read. */
  readonly garbage: number;
  readonly awaySince: EpochMs | null;
}
