import type { JobId } from '../../vocabulary/job.ts';
import type { CheckpointStatus } from '../ports.ts';

/** What is under way with one job. */
export interface Work {
  /** For an answer to whoever wants the job meanwhile: `checkpoint <id>`, `a restore`. */
  readonly what: string;
  /** Resolves when the job's processes are free for the next dump. Never rejects. */
  readonly free: Promise<void>;
}

const MOST_FAILURES = 1_000;

/** What is under way, and what failed since the engine started. One work a job. */
export class Table {
  readonly #works = new Map<JobId, Work>();
  readonly #statuses = new Map<string, CheckpointStatus>();
  readonly #failures: string[] = [];
  readonly #tasks = new Set<Promise<void>>();

  workOn(jobId: JobId): Work | null {
    return this.#works.get(jobId) ?? null;
  }

  /** Takes the job, which must be free; returns the function that frees it. */
  take(jobId: JobId, what: string): () => void {
    const { promise: free, resolve } = Promise.withResolvers<void>();
    const work = { what, free };
    this.#works.set(jobId, work);
    return () => {
      if (this.#works.get(jobId) === work) this.#works.delete(jobId);
      resolve();
    };
  }

  status(actionId: string): CheckpointStatus | null {
    return this.#statuses.get(actionId) ?? null;
  }

  set(actionId: string, status: CheckpointStatus['status']): void {
    this.#statuses.set(actionId, { status });
  }

  /** It is published: the store knows it from now on. */
  forget(actionId: string): void {
    this.#statuses.delete(actionId);
  }

  failed(actionId: string, details: string): void {
    this.#statuses.set(actionId, { status: 'error', details });
    this.#failures.push(actionId);
    if (this.#failures.length > MOST_FAILURES) this.#statuses.delete(this.#failures.shift()!);
  }

  /** Keeps a task until it has ended; what it rejects with is its own to handle. */
  background(task: Promise<void>): void {
    this.#tasks.add(task);
    void task.finally(() => this.#tasks.delete(task)).catch(() => undefined);
  }

  async idle(): Promise<void> {
    while (this.#tasks.size > 0) await Promise.allSettled(this.#tasks);
  }
}
