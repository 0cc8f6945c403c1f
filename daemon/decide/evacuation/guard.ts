import type { JobId, Millis } from '../../vocabulary/job.ts';
import type { JobRecord, Plan } from '../../vocabulary/state.ts';
import type { Draft } from '../draft.ts';
import { planEffectId, setPlan } from './plan-step.ts';

/** How long slurmctld may take to take the guard; then the restore goes on without it. */
const GUARD_WITHIN_MS = 30_000;
/** Of the time until a deadline the guards get this part at most: the restores themselves matter more. */
const PART_OF_DEADLINE = 1 / 4;
/** Time for one try is well spent: without a guard there may be two copies. */
const ONE_TRY_MS = 2_000;
/** But where many runs wait for one another, not more than this part for all the tries. */
const TRIES_PART = 1 / 2;

/** A guard is wanted where a new job will come, from a run that Slurm could bring back by itself as well. */
export function needsGuard(draft: Draft, job: JobRecord, plan: Plan): boolean {
  if (draft.policy.restore.sourceJob === 'leave' || plan.guarded || job.endedAt !== null) return false;
  return job.facts?.requeue === true;
}

export function askGuard(draft: Draft, job: JobRecord, plan: Plan): void {
  setPlan(draft, job.jobId, { step: 'guard', guarded: true });
  draft.change(job.jobId, { requeueDisabledByUs: true });
  draft.effects.push({
    kind: 'guard',
    id: planEffectId('guard', job, plan),
    jobId: job.jobId,
    restarts: job.restarts,
    requeue: false,
    expiresAt: draft.at + guardWithin(draft, plan),
  });
}

/**
 * Gives Slurm's `Requeue` back to a job that is not moved. `nextRun`: the run that the job is at by now, where it
 * was requeued, since the flag goes over to it.
 */
export function releaseGuard(draft: Draft, jobId: JobId, nextRun: number | null = null): void {
  const job = draft.jobs.get(jobId);
  if (!job?.plan?.guarded) return;
  setPlan(draft, jobId, { guarded: false });
  if (nextRun === null && job.endedAs !== null) return;
  draft.effects.push({
    kind: 'guard',
    id: planEffectId('release', job, job.plan),
    jobId,
    restarts: nextRun ?? job.restarts,
    requeue: true,
    expiresAt: Number.MAX_SAFE_INTEGER,
  });
}

/** How long the guard may take; after a deadline came up it is taken back then. */
export function guardWithin(draft: Draft, { deadline }: Plan): Millis {
  if (deadline === null) return GUARD_WITHIN_MS;
  // Of a deadline that is over one try is left.
  const left = Math.max(deadline - draft.at, ONE_TRY_MS / TRIES_PART);
  const share = left / roundsOfGuards(draft);
  const oneTry = Math.min(ONE_TRY_MS, share * TRIES_PART);
  return Math.min(GUARD_WITHIN_MS, Math.floor(Math.max(oneTry, share * PART_OF_DEADLINE)));
}

/** How often all places are filled with guards until each run that has a deadline had its own. */
function roundsOfGuards(draft: Draft): number {
  let runs = 0;
  for (const { plan } of draft.jobs.values()) {
    if (plan !== null && plan.deadline !== null && (plan.step === 'queued' || plan.step === 'guard')) runs++;
  }
  return Math.max(1, Math.ceil(runs / draft.policy.restore.concurrency));
}
