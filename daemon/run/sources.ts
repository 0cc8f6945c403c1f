import { uptime } from 'node:os';
import type { Config } from '../config/config.ts';
import { cronLines, policyOf } from '../config/policy.ts';
import { loadConf } from '../slurm/conf.ts';
import { type ProviderState, type SourceCounters, watchNotices } from '../sources/notices/watch-notices.ts';
import { watchSchedules } from '../sources/schedule.ts';
import type { HealthCounters } from '../sources/slurm/health.ts';
import { type JobWatch, watchJobs } from '../sources/slurm/job-watch.ts';
import { watchNodes } from '../sources/slurm/node-watch.ts';
import type { Clock, Log } from '../system/ports.ts';
import type { DaemonEvent } from '../vocabulary/event.ts';
import type { JobId } from '../vocabulary/job.ts';
import type { State } from '../vocabulary/state.ts';
import type { Core } from './core.ts';
import { isUrgent } from './is-urgent.ts';
import { savedNotices } from './saved-notices.ts';

/** The running sources of one configuration: a reload ends them and starts others. */
export interface RunningSources extends AsyncDisposable {
  /** A hook reported this job. */
  hint(jobId: JobId): void;
  health(): { readonly nodes: HealthCounters; readonly jobs: HealthCounters | null };
  /** The sources of notices, since the newest configuration was loaded. */
  notices(): readonly SourceCounters[];
  providers(): readonly ProviderState[];
  /** Rejects if a source ends by a defect. */
  readonly done: Promise<unknown>;
}

export interface SourcesPorts {
  readonly core: Pick<Core, 'loop' | 'clients' | 'watchers'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly hostname: string;
  readonly signal: AbortSignal;
}

/**
 * Starts all sources. Node states are watched at once. Jobs are watched once slurmctld has said where slurmd keeps its
 * sockets; before that, no query about them could succeed anyway.
 */
export function startSources(config: Config, ports: SourcesPorts): RunningSources {
  const { clock, log, hostname } = ports;
  const { loop, clients } = ports.core;
  const { node } = config.slurm;
  const own = new AbortController();
  const signal = AbortSignal.any([ports.signal, own.signal]);
  const emit = (event: DaemonEvent) => loop.handle(event);
  const early = new Set<JobId>();
  let jobs: JobWatch | null = null;

  const urgent = new AbortController();
  let wasUrgent = false;
  /** A node with nothing to save delays its first queries, so that a starting cluster does not query in one moment. */
  function noteUrgency(state: State): void {
    const becomes = !wasUrgent && isUrgent(state);
    wasUrgent = isUrgent(state);
    if (!becomes) return;
    urgent.abort();
    jobs?.hurry();
  }
  noteUrgency(loop.state);
  ports.core.watchers.add(noteUrgency);

  const schedules = watchSchedules({ clock, log, emit });
  schedules.set(cronLines(policyOf(config)));
  const { commands: slurm, exec } = clients;
  const shared = { exec, clock, log, emit, signal, slurm, node, urgent: urgent.signal };
  const nodes = watchNodes({ ...shared, pollMs: config.slurm.pollNode, nodes: () => nodesOf(loop.state) });

  const notices = watchNotices(config.notices, { exec, clock, log, emit, node }, signal);
  void notices.heard.then(() => {
    if (signal.aborted) return;
    emit({ type: 'notices-heard', at: clock.now(), bootedAt: clock.now() - uptime() * 1000 });
  });
  const approved = new Set<string>();
  let synced = false;
  /** Tells senders that wait, such as a shutdown of the host, that all jobs are saved. */
  function approve(state: State): void {
    // A job that Slurm has not been asked about may still have to be saved.
    if (!synced) return;
    for (const id of savedNotices(state, loop.policy)) {
      if (approved.has(id)) continue;
      approved.add(id);
      notices.approve(id);
    }
    for (const id of approved) if (!state.notices.has(id)) approved.delete(id);
  }
  ports.core.watchers.add(approve);

  async function watchTheJobs(): Promise<void> {
    const names = { node, host: hostname.replace(/\..*/s, '') };
    const conf = await loadConf({
      exec,
      clock,
      log,
      slurm,
      names,
      signal,
      urgent: urgent.signal,
    });
    log.info({ version: conf.version, spool_dir: conf.spoolDir }, 'watching the jobs of this node');
    jobs = watchJobs({
      ...shared,
      look: clients.queryJob,
      spoolDir: conf.spoolDir,
      rescanMs: config.slurm.rescanJobs,
      reconcileMs: config.slurm.reconcile,
      known: () => knownJobs(loop.state),
    });
    for (const jobId of early) jobs.hint(jobId);
    void jobs.synced.then(() => {
      synced = true;
      if (!signal.aborted) approve(loop.state);
    });
    await jobs.done;
  }

  const jobsDone = watchTheJobs().catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
  return {
    hint(jobId) {
      if (jobs === null) early.add(jobId);
      else jobs.hint(jobId);
    },
    health: () => ({ nodes: nodes.counters(), jobs: jobs?.counters() ?? null }),
    notices: () => notices.counters(),
    providers: () => notices.providers(),
    done: Promise.all([nodes.done, jobsDone, notices.done]),
    async [Symbol.asyncDispose]() {
      schedules[Symbol.dispose]();
      ports.core.watchers.delete(approve);
      ports.core.watchers.delete(noteUrgency);
      own.abort();
      await Promise.allSettled([nodes.done, jobsDone, notices.done]);
    },
  };
}

/** The nodes of all live jobs; those of an ended run do not matter. */
function* nodesOf(state: State): Iterable<string> {
  for (const { facts, endedAt } of state.jobs.values()) {
    if (facts !== null && endedAt === null) yield* facts.nodes;
  }
}

function* knownJobs(state: State) {
  for (const { jobId, restarts, facts, endedAs } of state.jobs.values()) {
    yield { jobId, restarts, state: endedAs ?? facts?.state ?? null };
  }
}
