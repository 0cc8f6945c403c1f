import type { JobId } from '../vocabulary/job.ts';
import { runKey } from '../vocabulary/job.ts';
import type { JobRecord, Plan, PlanStep } from '../vocabulary/state.ts';
import type { Draft } from './draft.ts';

/** Steps that hold one of `restore.concurrency` places. */
export const UNDER_WAY: ReadonlySet<PlanStep> = new Set(['guard', 'checkpoint', 'restore', 'end-source']);
/** Steps before the restore: nothing was asked for yet that could not be taken back. */
export const NOT_RESTORED: ReadonlySet<PlanStep> = new Set(['queued', 'guard', 'checkpoint', 'stranded']);
/** Steps that keep the record of a run that has ended: something is still to be done, or its answer to come. */
export const KEEPS_RECORD: ReadonlySet<PlanStep> = new Set([
  'queued',
  'guard',
  'checkpoint',
  'restore',
  'end-source',
]);

/** The id of a plan's effect: an effect of the same run and episode is the same effect. */
export function planEffectId(
  what: 'guard' | 'release' | 'restore' | 'end-source',
  job: JobRecord,
  plan: Plan,
): string {
  return `${what}:${runKey(job.jobId, job.restarts)}:${plan.episode}`;
}

export function setPlan(draft: Draft, jobId: JobId, fields: Partial<Plan>): void {
  const plan = draft.jobs.get(jobId)?.plan;
  if (plan) draft.change(jobId, { plan: { ...plan, ...fields } });
}
