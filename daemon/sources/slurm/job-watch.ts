import type { Clock, Exec, Log } from '../../system/ports.ts';
import type { DaemonEvent } from '../../vocabulary/event.ts';
import { ENDED_STATES, type EpochMs, type JobId, type Millis } from '../../vocabulary/job.ts';
import { type Background, inBackground } from './background.ts';
import { backoff } from './backoff.ts';
import { isJobId, type SlurmCommands } from './commands.ts';
import { Health, type HealthCounters } from './health.ts';
import { JobAgenda } from './job-agenda.ts';
import type { Look } from './look.ts';
import { nextBeat } from './phase.ts';
import { changedSockets, type KnownJob, misjudged, type Sockets } from './sightings.ts';
import { spoolJobs } from './spool.ts';
import type { JobLook } from './squeue.ts';
import { allCommand, readAll } from './squeue-all.ts';

export interface JobWatchOptions {
  readonly exec: Exec;
  readonly clock: Clock;
  readonly log: Log;
  readonly emit: (event: DaemonEvent) => void;
  readonly signal: AbortSignal;
  readonly slurm: SlurmCommands;
  readonly look: Look;
  readonly node: string;
  readonly spoolDir: string;
  /** How often the sockets are read (no RPC). */
  readonly rescanMs: Millis;
  /** How often Slurm is asked for everything on this node. */
  readonly reconcileMs: Millis;
  /** The jobs in the daemon's own state. */
  readonly known: () => Iterable<KnownJob>;
}

export interface JobWatch extends Background {
  /** Resolves once Slurm has answered about every job that was on the node when the watch began. */
  readonly acquainted: Promise<void>;
  /** Prolog or Epilog ran for this job: look at it now. */
  hint(jobId: JobId): void;
  counters(): HealthCounters & { readonly waiting: number };
}

/**
 * States that last until something happens to the job that this daemon hears of in another way. SUSPENDED is none:
 * nobody tells of a resume.
 */
const LASTING_STATES: ReadonlySet<string> = new Set([
  ...ENDED_STATES,
  'RUNNING',
  'PENDING',
  'REQUEUE_HOLD',
  'SPECIAL_EXIT',
]);

/** Between two looks at least this, and as long as the last one took: slurmctld sets the pace. */
const PACE: Millis = 100;

/**
 * Tells the daemon of the jobs on its node. Hooks and sockets say that something happened to a job; what it was,
 * Slurm is asked, one job at a time. Emits `job` for each answer, new or not, since others look at jobs as well,
 * and `job-absent` when Slurm says that there is no such job. While Slurm is away or talks nonsense nothing is
 * emitted, and what is to be looked at stays on the agenda.
 */
export function watchJobs(options: JobWatchOptions): JobWatch {
  const { exec, clock, log, emit, slurm, look, node, spoolDir, known } = options;
  const health = new Health('jobs', clock, log);
  const agenda = new JobAgenda();
  const acquainted = Promise.withResolvers<void>();
  /** Jobs of the first look at the sockets that Slurm has not answered about. */
  const strangers = new Set<JobId>();
  let sockets: Sockets | null = null;
  let spoolProblem = false;
  let rescanAt: EpochMs = clock.now();
  let reconcileAt: EpochMs = nextBeat(node, options.reconcileMs, clock.now());
  let reconcileFailures = 0;
  let lookAt: EpochMs = 0;
  let wake = new AbortController();

  async function rescan(): Promise<void> {
    rescanAt = clock.now() + options.rescanMs;
    try {
      const now = await spoolJobs(spoolDir, node);
      // What an earlier process knew may have changed unseen.
      const before: Sockets =
        sockets ?? new Map([...known()].map(({ jobId }) => [jobId, { jobId, incarnation: 'unseen' }]));
      for (const jobId of changedSockets(before, now)) {
        agenda.soon(jobId, clock.now());
        if (sockets === null) strangers.add(jobId);
      }
      // Others look at jobs too, and may have found one that is suspended.
      for (const { jobId, state } of known()) {
        if (state !== null && !LASTING_STATES.has(state)) agenda.again(jobId, clock.now());
      }
      sockets = now;
      spoolProblem = false;
      if (strangers.size === 0) acquainted.resolve();
    } catch (error) {
      if (!spoolProblem) log.error({ err: error, spoolDir }, "slurmd's spool folder cannot be read");
      spoolProblem = true;
    }
  }

  async function reconcile(signal: AbortSignal): Promise<void> {
    const all = readAll(await exec.run(allCommand(slurm, node), signal), slurm.mark);
    signal.throwIfAborted();
    if (all.type === 'jobs') {
      for (const jobId of misjudged(known(), all.jobs, node)) agenda.soon(jobId, clock.now());
      reconcileAt = nextBeat(node, options.reconcileMs, clock.now());
      reconcileFailures = 0;
    } else {
      health.failed(all);
      reconcileAt = clock.now() + backoff(reconcileFailures++, options.rescanMs, options.reconcileMs);
    }
  }

  async function lookInto(jobId: JobId, signal: AbortSignal): Promise<void> {
    const startedAt = clock.now();
    const seen = await look(jobId, signal);
    signal.throwIfAborted();
    const now = clock.now();
    if (seen.type === 'unavailable') {
      health.failed(seen);
      agenda.again(jobId, now);
      lookAt = now + backoff(health.inRow - 1);
      return;
    }
    health.answered();
    lookAt = now + Math.max(PACE, now - startedAt);
    settle(jobId, seen, now);
    if (strangers.delete(jobId) && strangers.size === 0) acquainted.resolve();
  }

  function settle(jobId: JobId, seen: Exclude<JobLook, { type: 'unavailable' }>, now: EpochMs): void {
    if (seen.type === 'absent') {
      agenda.settled(jobId);
      emit({ type: 'job-absent', at: now, jobId });
      return;
    }
    const { facts } = seen;
    if (facts.hetJobId !== null && facts.hetJobId !== jobId) {
      // A component is nothing by itself: the job is its leader's.
      agenda.settled(jobId);
      agenda.soon(facts.hetJobId, now);
      if (strangers.has(jobId)) strangers.add(facts.hetJobId);
      return;
    }
    emit({ type: 'job', at: now, facts });
    const startsHere = facts.state === 'PENDING' && sockets?.has(jobId);
    if (LASTING_STATES.has(facts.state) && !startsHere) agenda.settled(jobId);
    else agenda.again(jobId, now);
  }

  async function rest(signal: AbortSignal): Promise<void> {
    wake = new AbortController();
    const until = Math.min(rescanAt, reconcileAt, Math.max(lookAt, agenda.nextAt()));
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
      if (now >= reconcileAt) await reconcile(signal);
      const jobId = now >= lookAt ? agenda.take(now) : null;
      if (jobId === null) await rest(signal);
      else await lookInto(jobId, signal);
    }
  });
  return {
    ...background,
    acquainted: acquainted.promise,
    hint(jobId) {
      if (!isJobId(jobId)) return;
      agenda.soon(jobId, clock.now());
      wake.abort();
    },
    counters: () => ({ ...health.counters(), waiting: agenda.size }),
  };
}
