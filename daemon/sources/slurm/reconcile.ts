import type { SlurmCommands, Unavailable } from '../../slurm/commands.ts';
import { allCommand, readAll } from '../../slurm/squeue-all.ts';
import { nextBeat } from '../../system/node-phase.ts';
import type { Clock, Exec } from '../../system/ports.ts';
import type { EpochMs, JobId, Millis } from '../../vocabulary/job.ts';
import { type KnownJob, misjudged } from './sightings.ts';

export interface ReconcileOptions {
  readonly exec: Exec;
  readonly clock: Clock;
  readonly slurm: SlurmCommands;
  readonly node: string;
  /** In this time each known job is looked at once. */
  readonly everyMs: Millis;
  readonly known: () => Iterable<KnownJob>;
  /** Whether the sockets cannot be read, so that jobs may be here that nobody knows of. */
  readonly blind: () => boolean;
  /** Has Slurm asked about this job. */
  readonly soon: (jobId: JobId) => void;
  readonly failed: (problem: Unavailable) => void;
}

export interface Reconcile {
  /** When there is something to do next. */
  at(): EpochMs;
  run(signal: AbortSignal): Promise<void>;
}

/**
 * Corrects what was missed. One known job after the other is looked at, spread over the period: single records. Only
 * where the sockets cannot be read slurmctld is asked for all its jobs instead, once a period and no sooner after a
 * failure, since that answer is tens of megabytes on a large cluster.
 */
export function reconciling(options: ReconcileOptions): Reconcile {
  const { exec, clock, slurm, node, everyMs, known } = options;
  let at: EpochMs = nextBeat(node, everyMs, clock.now());
  let last: JobId = 0;

  function lookAtNext(): void {
    const ids = [...known()].map(({ jobId }) => jobId).sort((a, b) => a - b);
    const next = ids.find((jobId) => jobId > last) ?? ids[0];
    if (next === undefined) return;
    last = next;
    options.soon(next);
    at = clock.now() + Math.ceil(everyMs / ids.length);
  }

  return {
    at: () => at,
    async run(signal) {
      at = nextBeat(node, everyMs, clock.now());
      if (!options.blind()) return lookAtNext();
      const all = readAll(await exec.run(allCommand(slurm, node), signal), slurm.mark);
      signal.throwIfAborted();
      if (all.type === 'unavailable') return options.failed(all);
      for (const jobId of misjudged(known(), all.jobs, node)) options.soon(jobId);
    },
  };
}
