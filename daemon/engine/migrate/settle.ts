import type { Millis } from '../../vocabulary/job.ts';
import { PRESENT } from '../checkpoint/find/find-job.ts';
import { lookAtBatch } from '../checkpoint/find/look.ts';
import type { Source } from '../checkpoint/source.ts';
import { untilItAnswers } from '../store/until-it-answers.ts';
import { stateOf } from './requeue.ts';

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

type Ordered = Pick<Unsettled, 'jobId' | 'actionId'>;

/**
 * Takes back this checkpoint's order, and no other's. The job is not to wait for a store that hangs, and what hangs may
 * be the order itself, which is written later then (`store/in-time.ts`): it is taken back in the `background` once the
 * store answers, or the engine ends. Never rejects.
 */
export async function withdrawOrder(
  source: Source,
  run: Ordered,
  background: (task: Promise<void>) => void = () => undefined,
): Promise<void> {
  const problem = await whyItStays(source, run);
  if (problem === null) return;
  source.log.error(
    { job_id: run.jobId, action_id: run.actionId, problem },
    `job ${run.jobId} is in danger until the store answers (ls ${source.config.dir}): should Slurm requeue it before, it begins from checkpoint ${run.actionId} and not from a newer one`,
  );
  background(withdrawLater(source, run));
}

async function withdrawLater(source: Source, run: Ordered): Promise<void> {
  if (!(await untilItAnswers(source, async () => (await whyItStays(source, run)) === null))) return;
  source.log.info(
    { job_id: run.jobId, action_id: run.actionId },
    `the store answers again: job ${run.jobId} has no order any more to begin from checkpoint ${run.actionId}`,
  );
}

/** Null: there is none of this checkpoint's any more. */
async function whyItStays({ store }: Source, { jobId, actionId }: Ordered): Promise<string | null> {
  try {
    if ((await store.readOrder(jobId))?.actionId === actionId) await store.removeOrder(jobId);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}
