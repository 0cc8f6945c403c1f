import type { SlurmCommands } from '../../slurm/commands.ts';
import type { Clock, Exec, Log } from '../../system/ports.ts';
import type { JobId, Millis } from '../../vocabulary/job.ts';
import { lookAtBatch } from '../checkpoint/find/look.ts';

export interface Lifter {
  readonly exec: Exec;
  readonly slurm: SlurmCommands;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Requeuing {
  readonly jobId: JobId;
  /** Of the new run. */
  readonly restarts: number;
  /** The new `ExcNodeList`; null: as it is. */
  readonly excluded: string | null;
}

/** An epilog may take its time; after this Slurm's own hold (two minutes, by default) is over anyway. */
const TRY_FOR_MS: Millis = 10 * 60_000;
const FIRST_PAUSE_MS: Millis = 250;
const LONGEST_PAUSE_MS: Millis = 5_000;

/**
 * Slurm holds a requeued job for about two minutes. Once the old run has been cleared away, this lets the new one
 * start at once, and keeps it off the nodes in `excluded`. Resolves when that is done or there is nothing left to do.
 */
export async function liftHold(lifter: Lifter, job: Requeuing, signal: AbortSignal): Promise<void> {
  const { exec, slurm, clock, log } = lifter;
  const { jobId, restarts, excluded } = job;
  const until = clock.now() + TRY_FOR_MS;
  let problem = 'its old run does not end';
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 1.5, LONGEST_PAUSE_MS)) {
    const seen = await lookAtBatch({ exec, slurm }, jobId, signal);
    if (signal.aborted) return;
    if (seen.type === 'absent') return;
    if (seen.type === 'unavailable') problem = seen.message;
    else if (seen.facts.restarts !== restarts || !/^(PENDING|COMPLETING|RUNNING)$/.test(seen.facts.state))
      return;
    else if (seen.facts.state === 'RUNNING') return;
    else if (seen.facts.state === 'PENDING' && seen.target !== null) {
      const result = await exec.run(
        {
          kind: 'scontrol-update',
          file: slurm.path('scontrol'),
          args: [
            'update',
            `jobid=${seen.target}`,
            'StartTime=now',
            ...(excluded === null ? [] : [`ExcNodeList=${excluded}`]),
          ],
          timeoutMs: slurm.timeoutMs,
        },
        signal,
      );
      if (result.ok) return;
      problem = result.message;
    }
    if (clock.now() >= until) {
      log.warn(
        { job_id: jobId, problem },
        'the hold of the requeued job is not lifted: it starts when Slurm lets it',
      );
      return;
    }
    try {
      await clock.sleep(pause, signal);
    } catch {
      return;
    }
  }
}
