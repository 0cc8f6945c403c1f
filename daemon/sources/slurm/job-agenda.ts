import { backoff } from '../../system/async/backoff.ts';
import type { EpochMs, JobId } from '../../vocabulary/job.ts';

/** Which jobs to query, and when. */
export class JobAgenda {
  readonly #due = new Map<JobId, EpochMs>();
  readonly #tries = new Map<JobId, number>();
  readonly #place: number;

  /** `place` in `[0, 1)` keeps the nodes of one job from asking in the same moments. */
  constructor(place: number) {
    this.#place = place;
  }

  /** As soon as possible; the count of its tries starts again. */
  soon(jobId: JobId, now: EpochMs): void {
    this.#tries.delete(jobId);
    this.#due.set(jobId, Math.min(now, this.#due.get(jobId) ?? now));
  }

  /** Not before `at`, unless `soon` is called meanwhile. */
  later(jobId: JobId, at: EpochMs): void {
    if (!this.#due.has(jobId)) this.#due.set(jobId, at);
  }

  /** All of it as soon as possible. */
  hurry(now: EpochMs): void {
    for (const [jobId, at] of this.#due) if (at > now) this.#due.set(jobId, now);
  }

  /** Once more after up to 1 s, 2 s, 4 s … 60 s, unless `soon` was called meanwhile. */
  again(jobId: JobId, now: EpochMs): void {
    const tries = this.#tries.get(jobId) ?? 0;
    if (this.#due.has(jobId)) return;
    this.#tries.set(jobId, tries + 1);
    this.#due.set(jobId, now + backoff(tries, this.#place));
  }

  /** Nothing more to wait for, unless `soon` was called meanwhile. */
  settled(jobId: JobId): void {
    this.#tries.delete(jobId);
  }

  /** Takes the job that has been due the longest. */
  take(now: EpochMs): JobId | null {
    const next = this.#next();
    if (!next || next[1] > now) return null;
    this.#due.delete(next[0]);
    return next[0];
  }

  nextAt(): EpochMs {
    return this.#next()?.[1] ?? Number.POSITIVE_INFINITY;
  }

  has(jobId: JobId): boolean {
    return this.#due.has(jobId);
  }

  get size(): number {
    return this.#due.size;
  }

  #next(): [JobId, EpochMs] | undefined {
    let next: [JobId, EpochMs] | undefined;
    for (const entry of this.#due) if (!next || entry[1] < next[1]) next = entry;
    return next;
  }
}
