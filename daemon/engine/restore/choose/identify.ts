import type { JobAnswer } from '../../../slurm/squeue.ts';
import { doubled } from '../../../system/async/backoff.ts';
import type { JobFacts, JobId, Millis } from '../../../vocabulary/job.ts';
import type { Order } from '../../manifest.ts';
import type { Found, StartAsk } from '../../ports.ts';
import type { Parts } from '../run/parts.ts';
import { retireOrMark } from './anew.ts';
import { resumes } from './resumes.ts';

/** Which run it is that starts. */
export interface Identified {
  readonly facts: Pick<JobFacts, 'jobId' | 'restarts' | 'uid' | 'name'>;
  /** Whether it may resume if nobody ordered it back. */
  readonly resumes: boolean;
}

const LOOKS = 6;
const FIRST_PAUSE_MS: Millis = 1_000;

/**
 * By Slurm's word, and where slurmctld does not give it, by an order that names this very run and owner: both are then
 * slurmstepd's word. Otherwise the job begins anew, and the log has `why` as well.
 */
export async function identify(
  parts: Parts,
  ask: StartAsk,
  order: Order | null,
  checkpoints: readonly Found[],
): Promise<Identified | { readonly why: string }> {
  const { log, config } = parts;
  const { jobId, uid, restarts } = ask;
  const isOrdered = order !== null && order.uid === uid && order.restarts === restarts;
  const seen = await lookUp(parts, jobId, isOrdered ? 1 : LOOKS);
  const fields = { job_id: jobId, restarts };
  if (seen.type === 'job') {
    const { facts } = seen;
    // Where Slurm runs no Prolog, the note is an earlier run's: a slurmd that thinks it has run it for this job already.
    if (restarts === null || restarts <= facts.restarts)
      return { facts, resumes: facts.restarts === order?.restarts || resumes(config.policies, facts, log) };
    const why = `slurmstepd starts its restart ${restarts}, and Slurm is at ${facts.restarts}: this start is stale`;
    log.error(fields, `job ${jobId} begins anew: ${why}`);
    return { why };
  }
  if (seen.type === 'unavailable' && isOrdered) {
    log.warn(
      { ...fields, action_id: order.actionId },
      `job ${jobId} is restored as it was ordered, without Slurm's word: ${seen.message}`,
    );
    return { facts: { jobId, restarts: order.restarts, uid, name: '' }, resumes: true };
  }
  const why = seen.type === 'unavailable' ? seen.message : 'Slurm knows no such job';
  log.error(fields, `job ${jobId} begins anew, although it has checkpoints: ${why}`);
  if (seen.type === 'unavailable' && restarts !== null)
    await retireOrMark(
      parts,
      { jobId, restarts, uid },
      checkpoints.filter(({ manifest }) => manifest.uid === uid),
    );
  return { why };
}

/** A slurmctld that has just started a job answers; with six looks one that hangs is tried for a minute. */
async function lookUp({ look, clock, signal }: Parts, jobId: JobId, most: number): Promise<JobAnswer> {
  for (let looks = 1; ; looks++) {
    const seen = await look(jobId, signal);
    if (seen.type !== 'unavailable') return seen;
    // A look that was broken off is not Slurm's silence.
    signal.throwIfAborted();
    if (looks === most) return seen;
    await clock.sleep(doubled(looks - 1, FIRST_PAUSE_MS, 60_000), signal);
  }
}
