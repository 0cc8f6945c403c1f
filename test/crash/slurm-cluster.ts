import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import type { SlurmJob, SlurmTimes } from './slurm-job.ts';

/** The batch step's number in the name of its stepd's socket. */
const BATCH_STEP = 4294967291;

/**
 * A cluster of two nodes, as far as the daemon on n1 can see: the jobs' records, and the sockets of the stepds in n1's
 * spool folder. Times pass as on a real one.
 */
export class SlurmCluster implements AsyncDisposable {
  readonly jobs = new Map<number, SlurmJob>();
  readonly nodes = new Map([
    ['n1', { state: 'mixed', reason: 'none' }],
    ['n2', { state: 'idle', reason: 'none' }],
  ]);
  /** The reasons of the drains that `scontrol` set on a node that had none. */
  readonly drains: string[] = [];
  /** slurmctld does not answer. */
  away = false;
  /** Called when the stepd of a job on n1 is gone. */
  onEpilog: (job: SlurmJob) => void = () => {};
  readonly #spoolDir: string;
  readonly #times: SlurmTimes;
  readonly #stepds = new Map<number, Server>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #nextId = 1_000;

  constructor(spoolDir: string, times: SlurmTimes) {
    this.#spoolDir = spoolDir;
    this.#times = times;
  }

  /** A job that runs on n1 for some time already. */
  async run(
    job: Pick<SlurmJob, 'jobId' | 'name' | 'uid' | 'cpus' | 'requeue'>,
    ageMs: number,
  ): Promise<void> {
    const startAt = Date.now() - ageMs;
    this.jobs.set(job.jobId, {
      ...job,
      state: 'RUNNING',
      restarts: 0,
      startAt,
      submitAt: startAt - 2_000,
      node: 'n1',
    });
    const stepd = createServer((socket) => socket.destroy());
    this.#stepds.set(job.jobId, stepd);
    const path = join(this.#spoolDir, `n1_${job.jobId}.${BATCH_STEP}`);
    await new Promise<void>((resolve) => stepd.listen(path, resolve));
  }

  drain(): void {
    this.nodes.set('n1', { state: 'mixed+drain', reason: 'disk' });
  }

  /** Slurm 24.11 keeps the reason of the drain that was. */
  resume(): void {
    this.nodes.set('n1', { state: 'mixed', reason: 'disk' });
  }

  cancel(job: SlurmJob): void {
    if (job.state === 'PENDING') job.state = 'CANCELLED';
    if (job.state !== 'RUNNING') return;
    this.#complete(job, () => {
      job.state = 'CANCELLED';
      this.#later(this.#times.minJobAgeMs, () => this.jobs.delete(job.jobId));
    });
  }

  /** As Cedana does: the old run is cancelled, and a new job of the same name comes up after it. */
  async replace(job: SlurmJob): Promise<void> {
    this.cancel(job);
    await new Promise<void>((resolve) => this.#later(this.#times.newJobAfterMs, resolve));
    const copy: SlurmJob = {
      ...job,
      jobId: this.#nextId++,
      state: 'PENDING',
      restarts: 0,
      requeue: true,
      submitAt: Date.now(),
      node: null,
    };
    this.jobs.set(copy.jobId, copy);
    this.#startElsewhere(copy);
  }

  /** As the engine does: the same job waits again, and its hold is lifted. */
  requeue(job: SlurmJob): void {
    if (job.state !== 'RUNNING') return;
    this.#complete(job, () => {
      Object.assign(job, { state: 'PENDING', restarts: job.restarts + 1, submitAt: Date.now(), node: null });
      this.#startElsewhere(job);
    });
  }

  /** Jobs that run on n1, and how many are on their way between two states. */
  whereabouts(): { readonly here: readonly number[]; readonly moving: number } {
    const jobs = [...this.jobs.values()];
    const here = jobs.filter(({ state, node }) => state === 'RUNNING' && node === 'n1');
    const moving = jobs.filter(({ state }) => state === 'PENDING' || state === 'COMPLETING');
    return { here: here.map(({ jobId }) => jobId), moving: moving.length };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    for (const jobId of this.#stepds.keys()) this.#endStepd(jobId);
  }

  #complete(job: SlurmJob, then: () => void): void {
    job.state = 'COMPLETING';
    this.#later(this.#times.completingMs, () => {
      const wasHere = this.#endStepd(job.jobId);
      then();
      if (wasHere) this.onEpilog(job);
    });
  }

  #startElsewhere(job: SlurmJob): void {
    this.#later(300, () => {
      if (job.state === 'PENDING') Object.assign(job, { state: 'RUNNING', startAt: Date.now(), node: 'n2' });
    });
  }

  #endStepd(jobId: number): boolean {
    this.#stepds.get(jobId)?.close();
    return this.#stepds.delete(jobId);
  }

  #later(ms: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, ms);
    this.#timers.add(timer);
  }
}
