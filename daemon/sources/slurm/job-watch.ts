import { isJobId, type SlurmCommands } from '../../slurm/commands.ts';
import type { QueryJob } from '../../slurm/query-job.ts';
import type { JobAnswer } from '../../slurm/squeue.ts';
import { type Background, inBackground } from '../../system/async/background.ts';
import { backoff } from '../../system/async/backoff.ts';
import { firstBeat, nextBeat, placeOf } from '../../system/node-phase.ts';
import type { Clock, Exec, Log } from '../../system/ports.ts';
import type { DaemonEvent } from '../../vocabulary/event.ts';
import type { EpochMs, JobId, Millis } from '../../vocabulary/job.ts';
import { ENDED_STATES } from '../../vocabulary/slurm-states.ts';
import { ForeignJobs } from './foreign-jobs.ts';
import { Health, type HealthCounters } from './health.ts';
import { JobAgenda } from './job-agenda.ts';
import { reconciling } from './reconcile.ts';
import type { KnownJob } from './sightings.ts';
import { scanSockets } from './socket-scan.ts';

export interface JobWatchOptions {
  readonly exec: Exec;
  readonly clock: Clock;
  readonly log: Log;
  readonly emit: (event: DaemonEvent) => void;
  readonly signal: AbortSignal;
  readonly slurm: SlurmCommands;
  readonly look: QueryJob;
  readonly node: string;
  readonly spoolDir: string;
  /** How often the sockets are read (no RPC). */
  readonly rescanMs: Millis;
  /** How often Slurm is asked about each known job even without a sign of a change. */
  readonly reconcileMs: Millis;
  /** The jobs in the daemon's own state. */
  readonly known: () => Iterable<KnownJob>;
  /** Aborted once something waits for the list of jobs. Until then the first queries are spread over time. */
  readonly urgent: AbortSignal;
}

export interface JobWatch extends Background {
  /** Resolves once Slurm has answered about every job that was on the node when the watch began. */
  readonly synced: Promise<void>;
  /** Prolog or Epilog ran for this job: query it now. */
  hint(jobId: JobId): void;
  /** Something waits for the list of jobs: all pending queries are made now. */
  hurry(): void;
  counters(): HealthCounters & { readonly waiting: number };
}

/**
 * States that last until an event that this daemon learns of in another way. SUSPENDED is not among them: nothing
 * reports a resume.
 */
const LASTING_STATES: ReadonlySet<string> = new Set([
  ...ENDED_STATES,
  'RUNNING',
  'PENDING',
  'REQUEUE_HOLD',
  'SPECIAL_EXIT',
]);

/** The pause between two queries: at least this, and as long as the last one took. So slurmctld sets the pace. */
const PACE: Millis = 100;

/**
 * Reports the jobs of this node. Hooks and sockets show that something happened to a job, and Slurm is asked what it
 * was, one job at a time. Emits `job` for each answer, new or not, since performers query jobs as well, and
 * `job-absent` if Slurm has no such job. Without a readable answer nothing is emitted, and the job stays on the agenda.
 */
export function watchJobs(options: JobWatchOptions): JobWatch {
  const { exec, clock, log, emit, slurm, look, node, spoolDir, known } = options;
  const health = new Health('jobs', clock, log);
  const place = placeOf(node);
  const agenda = new JobAgenda(place);
  const foreign = new ForeignJobs();
  const scan = scanSockets({ spoolDir, node, log }, known, foreign);
  const synced = Promise.withResolvers<void>();
  /** Jobs of the first scan of the sockets that Slurm has not answered about yet. */
  const initialJobs = new Set<JobId>();
  let rescanAt: EpochMs = clock.now();
  let lookAt: EpochMs = 0;
  let wake = new AbortController();
  const reconcile = reconciling({
    exec,
    clock,
    slurm,
    node,
    everyMs: options.reconcileMs,
    known,
    blind: () => scan.blind,
    soon: (jobId) => agenda.soon(jobId, clock.now()),
    failed: (problem) => health.failed(problem),
  });

  async function rescan(): Promise<void> {
    rescanAt = nextBeat(node, options.rescanMs, clock.now());
    const { isFirst } = scan;
    const changed = await scan.changed();
    for (const jobId of changed ?? []) {
      if (!isFirst || options.urgent.aborted) agenda.soon(jobId, clock.now());
      else agenda.later(jobId, firstBeat(node, options.rescanMs, clock.now()));
      if (isFirst) initialJobs.add(jobId);
    }
    // A performer may have found a job suspended, and of another job only its Prolog is known.
    for (const { jobId, state } of known()) {
      if (state === null || !LASTING_STATES.has(state)) agenda.again(jobId, clock.now());
    }
    if (changed !== null && initialJobs.size === 0) synced.resolve();
  }

  async function lookInto(jobId: JobId, signal: AbortSignal): Promise<void> {
    const startedAt = clock.now();
    const seen = await look(jobId, signal);
    signal.throwIfAborted();
    const now = clock.now();
    if (seen.type === 'unavailable') {
      health.failed(seen);
      agenda.again(jobId, now);
      lookAt = now + backoff(health.inRow - 1, place);
      return;
    }
    health.answered();
    lookAt = now + Math.max(PACE, now - startedAt);
    settle(jobId, seen, now);
    if (initialJobs.delete(jobId) && initialJobs.size === 0) synced.resolve();
  }

  function settle(jobId: JobId, seen: Exclude<JobAnswer, { type: 'unavailable' }>, now: EpochMs): void {
    if (seen.type === 'absent') {
      agenda.settled(jobId);
      foreign.delete(jobId);
      emit({ type: 'job-absent', at: now, jobId });
      return;
    }
    const { facts } = seen;
    if (facts.hetJobId !== null && facts.hetJobId !== jobId) {
      // A component is not a job of its own: it belongs to its leader's job.
      agenda.settled(jobId);
      foreign.addComponent(jobId, facts.hetJobId);
      agenda.soon(facts.hetJobId, now);
      if (initialJobs.has(jobId)) initialJobs.add(facts.hetJobId);
      return;
    }
    emit({ type: 'job', at: now, facts });
    if (facts.batchHost !== null && facts.batchHost !== node) {
      foreign.add(jobId);
      agenda.settled(jobId);
      return;
    }
    foreign.delete(jobId);
    const startsHere = facts.state === 'PENDING' && scan.has(jobId);
    if (LASTING_STATES.has(facts.state) && !startsHere) agenda.settled(jobId);
    else agenda.again(jobId, now);
  }

  async function rest(signal: AbortSignal): Promise<void> {
    wake = new AbortController();
    const until = Math.min(rescanAt, reconcile.at(), Math.max(lookAt, agenda.nextAt()));
    try {
      await clock.sleep(Math.max(0, until - clock.now()), AbortSignal.any([signal, wake.signal]));
    } catch {
      signal.throwIfAborted();
    }
  }

  const background = inBackground(options.signal, async (signal) => {
    for (;;) {
      signal.throwIfAborted();
      const now = clock.now();
      if (now >= rescanAt) await rescan();
      if (now >= reconcile.at()) await reconcile.run(signal);
      const jobId = now >= lookAt ? agenda.take(now) : null;
      if (jobId === null) await rest(signal);
      else await lookInto(jobId, signal);
    }
  });
  return {
    ...background,
    synced: synced.promise,
    hint(jobId) {
      if (!isJobId(jobId)) return;
      agenda.soon(jobId, clock.now());
      wake.abort();
    },
    hurry() {
      for (const { jobId, state } of known()) if (state === null) agenda.soon(jobId, clock.now());
      agenda.hurry(clock.now());
      rescanAt = clock.now();
      wake.abort();
    },
    counters: () => ({ ...health.counters(), waiting: agenda.size }),
  };
}
