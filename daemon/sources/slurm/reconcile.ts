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
  /** Each known job is queried once in this time. */
  readonly everyMs: Millis;
  readonly known: () => Iterable<KnownJob>;
  /** True if the sockets cannot be read, so that unknown jobs may be here. */
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
 * Corrects missed changes. Queries one known job after the other, spread over the period: single records. Only if the
 * sockets cannot be read, it asks slurmctld for all jobs instead, once a period and no sooner after a failure: that
 * answer is tens of megabytes on a large cluster.
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
