import { backoff } from '../../sources/slurm/backoff.ts';
import type { JobLook } from '../../sources/slurm/squeue.ts';
import type { JobFacts, JobId, Millis } from '../../vocabulary/job.ts';
import type { Order } from '../manifest.ts';
import type { Found } from '../ports.ts';
import { groupsOf } from './as-owner.ts';
import { type Tried, tryCandidate } from './candidate.ts';
import { choose, freshText } from './choose.ts';
import type { Parts } from './parts.ts';
import { resumes } from './resumes.ts';
import type { Owner } from './run.ts';

export type Begun = Extract<Tried, { type: 'restore' }> | null;

/** What is left of a job's start in which nothing went wrong: see `Starter.start`. */
export async function begin(
  parts: Parts,
  ask: { readonly jobId: JobId; readonly uid: number; readonly gid: number },
): Promise<Begun> {
  const { store, log } = parts;
  const { jobId, uid, gid } = ask;
  const checkpoints = await store.ofJob(jobId);
  const order = await store.readOrder(jobId);
  // The usual case, and it costs no RPC.
  if (order === null && checkpoints.every(({ deprecated }) => deprecated !== null)) return null;
  const facts = await lookUp(parts, jobId);
  if (facts === null) return null;
  const choice = choose({ facts, uid, checkpoints, order, resumes: mayResume(parts, facts, order) });
  const fields = { job_id: jobId, restarts: facts.restarts };
  if (choice.type === 'fresh') {
    const { why } = choice;
    const say = why.kind === 'policy' || why.kind === 'id-reused' ? log.info : log.error;
    say({ ...fields }, `job ${jobId} begins anew: ${freshText(why)}`);
    if (why.kind === 'id-reused') await store.removeJob(jobId, freshText(why));
    else if (why.kind !== 'other-owner') await retire(parts, facts, checkpoints);
    return null;
  }
  const owner: Owner = { uid, gid, groups: await groupsOf(parts.exec, uid, gid) };
  for (const found of choice.candidates) {
    const { actionId } = found.manifest;
    const tried = await tryCandidate(parts, found, facts, owner);
    if (tried.type === 'restore') {
      log.info({ ...fields, action_id: actionId }, `job ${jobId} is restored from checkpoint ${actionId}`);
      return tried;
    }
    await parts.runs.remove(facts);
    if (tried.type === 'files') {
      log.info(
        { ...fields, action_id: actionId },
        `job ${jobId} begins anew with its files from checkpoint ${actionId}`,
      );
      await retire(
        parts,
        facts,
        checkpoints.filter(({ manifest }) => manifest.criu !== null),
      );
      return null;
    }
    log.error(
      { ...fields, action_id: actionId },
      `job ${jobId} cannot be restored from checkpoint ${actionId}: ${tried.message}`,
    );
    if (tried.damaged) await store.deprecate(actionId, tried.message);
  }
  log.error(fields, `job ${jobId} begins anew: none of its checkpoints can be restored here`);
  await retire(parts, facts, checkpoints);
  return null;
}

function mayResume({ config, log }: Parts, facts: JobFacts, order: Order | null): boolean {
  return order?.restarts === facts.restarts || resumes(config.policies, facts, log);
}

const LOOKS = 6;
const FIRST_PAUSE_MS: Millis = 1_000;

/** A slurmctld that has just started a job answers; one that hangs is tried for a minute. Null: said why in the log. */
async function lookUp({ look, clock, log, signal }: Parts, jobId: JobId): Promise<JobFacts | null> {
  let seen: JobLook | null = null;
  for (let looks = 0; looks < LOOKS; looks++) {
    if (looks > 0) await clock.sleep(backoff(looks - 1, FIRST_PAUSE_MS), signal);
    seen = await look(jobId, signal);
    if (seen.type === 'job') return seen.facts;
    if (seen.type === 'absent') break;
  }
  const why = seen?.type === 'unavailable' ? seen.message : 'Slurm knows no such job';
  log.error({ job_id: jobId }, `job ${jobId} begins anew, although it has checkpoints: ${why}`);
  return null;
}

/** A run that begins anew overwrites what the checkpoints of the runs before it go on from. */
export async function retire(
  { store, log }: Pick<Parts, 'store' | 'log'>,
  { jobId, restarts }: { readonly jobId: JobId; readonly restarts: number },
  checkpoints: readonly Found[],
): Promise<void> {
  const older = checkpoints.filter(
    ({ manifest, deprecated }) => deprecated === null && manifest.restarts < restarts,
  );
  for (const { manifest } of older) {
    const why = `job ${jobId} began anew as restart ${restarts}: this does not fit its files any more`;
    await store.deprecate(manifest.actionId, why).catch((error: unknown) => {
      log.error(
        { job_id: jobId, action_id: manifest.actionId, err: error },
        'a checkpoint cannot be deprecated',
      );
    });
  }
}
