import type { Effect } from '../vocabulary/effect.ts';
import type { Outcome } from '../vocabulary/outcome.ts';
import type { JobRecord, Plan } from '../vocabulary/state.ts';
import type { Draft } from './draft.ts';
import { dropPlan } from './evacuate.ts';
import { failPlan, planEffectId, seekCheckpoint, setPlan } from './plan.ts';

/** The outcome of a plan's effect moves that plan, if it is still at that step. */
export function planSettled(
  draft: Draft,
  effect: Extract<Effect, { kind: 'guard' | 'restore' | 'end-source' }>,
  outcome: Outcome,
): void {
  if (effect.kind === 'restore' && outcome.type === 'restored') restored(draft, effect, outcome.actionId);
  const job = draft.jobs.get(effect.jobId);
  const plan = job?.plan;
  if (!job || !plan || plan.step !== effect.kind || planEffectId(effect.kind, job, plan) !== effect.id)
    return;
  if (effect.kind === 'guard') return guardSettled(draft, job, outcome);
  if (effect.kind === 'restore') return restoreSettled(draft, job, plan, effect.newJob, outcome);
  sourceSettled(draft, job, outcome);
}

/** Said whether the run's record is still there or not: a requeue may be seen before the answer. */
function restored(
  draft: Draft,
  effect: Extract<Effect, { kind: 'restore' }>,
  newActionId: string | null,
): void {
  draft.note('info', 'restored', effect, `job ${effect.jobId} is restored (${effect.reason})`, {
    action_id: effect.actionId,
    new_action_id: newActionId,
  });
  draft.reply(effect.requestId, { actionId: newActionId });
}

function guardSettled(draft: Draft, job: JobRecord, outcome: Outcome): void {
  if (outcome.type === 'stale') return dropPlan(draft, job.jobId, outcome.message);
  if (outcome.type !== 'done') {
    const message = 'message' in outcome ? outcome.message : outcome.type;
    draft.note('warn', 'guard-failed', job, `Slurm may requeue job ${job.jobId} by itself: ${message}`);
  }
  seekCheckpoint(draft, job.jobId);
}

function restoreSettled(draft: Draft, job: JobRecord, plan: Plan, newJob: boolean, outcome: Outcome): void {
  if (outcome.type === 'recalled') return dropPlan(draft, job.jobId, `node ${plan.node} is back`);
  if (outcome.type === 'stale') return dropPlan(draft, job.jobId, outcome.message);
  if (outcome.type !== 'restored') {
    return failPlan(
      draft,
      job,
      plan,
      `the restore failed: ${'message' in outcome ? outcome.message : outcome.type}`,
    );
  }
  if (!newJob) return setPlan(draft, job.jobId, { step: 'done' });
  setPlan(draft, job.jobId, { step: 'end-source' });
  const id = planEffectId('end-source', job, plan);
  draft.effects.push({ kind: 'end-source', id, jobId: job.jobId, restarts: job.restarts });
}

function sourceSettled(draft: Draft, job: JobRecord, outcome: Outcome): void {
  setPlan(draft, job.jobId, { step: 'done' });
  if (outcome.type === 'done' || outcome.type === 'stale') {
    draft.note('info', 'source-ended', job, `the old run of job ${job.jobId} has ended`);
    return;
  }
  const message = 'message' in outcome ? outcome.message : outcome.type;
  draft.note(
    'error',
    'source-remains',
    job,
    `two copies: the old run of job ${job.jobId} still runs: ${message}`,
    {
      advice: `scancel ${job.jobId}`,
    },
  );
}
