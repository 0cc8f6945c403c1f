import type { JobId, Millis } from '../../vocabulary/job.ts';
import type { JobRecord, Plan } from '../../vocabulary/state.ts';
import type { Draft } from '../draft.ts';
import { planEffectId, setPlan } from './plan-step.ts';

/** Time for slurmctld to set the guard (`Requeue=0`). After it the restore goes on without one. */
const GUARD_WITHIN_MS = 30_000;
/** The guards' largest share of the time until a deadline: the restores matter more. */
const PART_OF_DEADLINE = 1 / 4;
/** Each guard gets time for one try: without a guard there may be two copies of the job. */
const ONE_TRY_MS = 2_000;
/** If many runs wait for one another, the tries together get at most this share. */
const TRIES_PART = 1 / 2;

/** True if a new job will come while Slurm could also requeue the old run by itself. */
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
 * Sets `Requeue=1` again for a job that is not moved. `nextRun`: the job's current run, if it was requeued, because
 * the flag belongs to the job and not to the run.
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

/** Time for the guard. If a deadline comes up meanwhile, the guard is recalled after this time. */
export function guardWithin(draft: Draft, { deadline }: Plan): Millis {
  if (deadline === null) return GUARD_WITHIN_MS;
  // A deadline in the past still leaves time for one try.
  const left = Math.max(deadline - draft.at, ONE_TRY_MS / TRIES_PART);
  const share = left / roundsOfGuards(draft);
  const oneTry = Math.min(ONE_TRY_MS, share * TRIES_PART);
  return Math.min(GUARD_WITHIN_MS, Math.floor(Math.max(oneTry, share * PART_OF_DEADLINE)));
}

/** How many rounds of guards it takes until each run with a deadline has had its own. */
function roundsOfGuards(draft: Draft): number {
  let runs = 0;
  for (const { plan } of draft.jobs.values()) {
    if (plan !== null && plan.deadline !== null && (plan.step === 'queued' || plan.step === 'guard')) runs++;
  }
  return Math.max(1, Math.ceil(runs / draft.policy.restore.concurrency));
}
