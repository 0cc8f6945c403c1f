import type { JobId } from '../../vocabulary/job.ts';
import { runKey } from '../../vocabulary/job.ts';
import type { JobRecord, Plan, PlanStep } from '../../vocabulary/state.ts';
import type { Draft } from '../draft.ts';

/**
 * Steps that hold one of `restore.concurrency` places. The end of an old run is none: it waits for slurmctld for as
 * long as that is away, and the runs that are still to be restored need not.
 */
export const UNDER_WAY: ReadonlySet<PlanStep> = new Set(['guard', 'checkpoint', 'restore']);
/** Those of them that change the run, or are about to. */
export const RESTORING: ReadonlySet<PlanStep> = new Set(['guard', 'restore']);
/** Steps of a run that is still to be brought back. */
export const AWAITS_RESTORE: ReadonlySet<PlanStep> = new Set(['queued', 'guard', 'checkpoint', 'restore']);
/** Steps before the restore: nothing was asked for yet that could not be taken back. */
export const NOT_RESTORED: ReadonlySet<PlanStep> = new Set(['queued', 'guard', 'checkpoint', 'stranded']);
/** Steps of a run that was brought back elsewhere. */
export const BROUGHT_BACK: ReadonlySet<PlanStep> = new Set(['end-source', 'done']);
/** Steps in which the plan does nothing: the run gets checkpoints as if it had no plan. */
export const PASSIVE_STEPS: ReadonlySet<PlanStep> = new Set(['stranded', 'failed', 'rehearsed']);
/** Steps that keep the record of a run that has ended: something is still to be done, or its answer to come. */
export const KEEPS_RECORD: ReadonlySet<PlanStep> = new Set([...AWAITS_RESTORE, 'end-source']);

/** The id of a plan's effect: an effect of the same run and episode is the same effect. */
export function planEffectId(
  what: 'guard' | 'release' | 'restore' | 'end-source',
  job: JobRecord,
  plan: Plan,
): string {
  return `${what}:${runKey(job.jobId, job.restarts)}:${plan.episode}`;
}

/** Places that are free for plans in these steps, not counting this job's own. */
export function freePlaces(draft: Draft, steps: ReadonlySet<PlanStep>, except: JobId | null = null): number {
  let taken = 0;
  for (const { jobId, plan } of draft.jobs.values()) {
    if (plan !== null && jobId !== except && steps.has(plan.step)) taken++;
  }
  return draft.policy.restore.concurrency - taken;
}

export function setPlan(draft: Draft, jobId: JobId, fields: Partial<Plan>): void {
  const plan = draft.jobs.get(jobId)?.plan;
  if (plan) draft.change(jobId, { plan: { ...plan, ...fields } });
}
