import type { Millis } from '../../vocabulary/job.ts';
import { PRESENT } from '../job/find-job.ts';
import { lookAtBatch } from '../job/look.ts';
import { stateOf } from './requeue.ts';
import type { Source } from './source.ts';

const PAUSE_MS: Millis = 5_000;

export interface Unsettled {
  readonly jobId: number;
  readonly restarts: number;
  readonly uid: number;
  readonly actionId: string;
}

/**
 * A job that stands frozen while nobody knows whether Slurm has requeued it. Two copies must never run: it stays
 * frozen until Slurm says so. `moved`: it has been requeued. `stays`: it has not, so this is the living run.
 * `aborted`: the engine ends first, and the next one asks again.
 */
export async function whichRunLives(
  source: Source,
  run: Unsettled,
  signal: AbortSignal,
): Promise<'moved' | 'stays' | 'aborted'> {
  let isHere = false;
  for (let looks = 0; ; looks++) {
    const seen = await lookAtBatch(source, run.jobId, signal);
    if (signal.aborted) return 'aborted';
    if (seen.type !== 'unavailable') {
      const { type } = stateOf(seen, { ...run, states: PRESENT });
      if (type === 'accepted') return 'moved';
      // A slurmctld that has just come back may have the requeue before it still.
      if (type === 'refused' || isHere) return 'stays';
      isHere = true;
    }
    if (looks === 0 && seen.type === 'unavailable')
      source.log.error(
        { job_id: run.jobId, action_id: run.actionId, problem: seen.message },
        'the job stays frozen until Slurm says whether it was requeued',
      );
    try {
      await source.clock.sleep(PAUSE_MS, signal);
    } catch {
      return 'aborted';
    }
  }
}

/** Takes back this checkpoint's order, and no other's. What the store refuses is logged: the job is not to wait for it. */
export async function withdrawOrder(
  { store, log }: Source,
  { jobId, actionId }: Pick<Unsettled, 'jobId' | 'actionId'>,
): Promise<void> {
  try {
    if ((await store.readOrder(jobId))?.actionId === actionId) await store.removeOrder(jobId);
  } catch (error) {
    log.error(
      { job_id: jobId, action_id: actionId, problem: (error as Error).message },
      'the order to restore the job stays: should Slurm requeue it, it begins from this checkpoint',
    );
  }
}
