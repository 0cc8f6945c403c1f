import type { Effect } from '../../vocabulary/effect.ts';
import type { Outcome } from '../../vocabulary/outcome.ts';
import type { JobRecord, Plan } from '../../vocabulary/state.ts';
import type { Draft } from '../draft.ts';
import { ABSENT, awaitsVerdict, isLive, wasLost } from '../rules.ts';
import { seekCheckpoint } from './plan.ts';
import { dropPlan, failPlan } from './plan-end.ts';
import { planEffectId, setPlan } from './plan-step.ts';

/** One of them keeps the array's own number, which names all of it to these commands. */
const ARRAY_TASK = "or for an array's task its name: squeue -o '%A %i'";

type PlanEffect = Extract<Effect, { kind: 'guard' | 'restore' | 'end-source' }>;

/** The outcome of a plan's effect moves that plan, if it is still at that step. */
export function planSettled(draft: Draft, effect: PlanEffect, outcome: Outcome): void {
  if (effect.kind === 'restore' && outcome.type === 'restored') restored(draft, effect, outcome.actionId);
  if (effect.kind === 'guard' && effect.requeue && outcome.type === 'done') released(draft, effect);
  const job = draft.jobs.get(effect.jobId);
  const plan = job?.plan;
  if (!job || !plan || plan.step !== effect.kind || planEffectId(effect.kind, job, plan) !== effect.id) {
    if (effect.kind === 'restore' && outcome.type !== 'restored') {
      draft.reply(effect.requestId, { status: 409, message: messageOf(outcome) });
    }
    return;
  }
  if (effect.kind === 'guard') return guardSettled(draft, job, plan, outcome);
  if (effect.kind === 'restore') return restoreSettled(draft, job, plan, effect.newJob, outcome);
  sourceSettled(draft, job, outcome);
}

function messageOf(outcome: Outcome): string {
  return 'message' in outcome ? outcome.message : outcome.type;
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

/** Slurm's word may be from before: without this, the next plan would take the flag for the user's own wish. */
function released(draft: Draft, effect: PlanEffect): void {
  const job = draft.jobs.get(effect.jobId);
  if (!job?.facts || job.restarts !== effect.restarts) return;
  draft.change(job.jobId, { facts: { ...job.facts, requeue: true } });
}

function guardSettled(draft: Draft, job: JobRecord, plan: Plan, outcome: Outcome): void {
  if (outcome.type === 'stale' && !awaitsVerdict(job)) return runGone(draft, job, plan, outcome.message);
  if (outcome.type !== 'done') {
    const message = messageOf(outcome);
    draft.note('warn', 'guard-failed', job, `Slurm may requeue job ${job.jobId} by itself: ${message}`, {
      advice: `scontrol update requeue=0 jobid=${job.jobId}, ${ARRAY_TASK}`,
    });
  }
  seekCheckpoint(draft, job.jobId);
}

function restoreSettled(draft: Draft, job: JobRecord, plan: Plan, newJob: boolean, outcome: Outcome): void {
  if (outcome.type === 'recalled' && job.endedAs === ABSENT)
    return failPlan(draft, job, plan, 'nobody knows how it ended, so its restore was taken back');
  if (outcome.type === 'recalled') return dropPlan(draft, job.jobId, 'it was taken back');
  if (outcome.type === 'stale') return runGone(draft, job, plan, outcome.message);
  if (outcome.type !== 'restored') {
    return failPlan(draft, job, plan, `the restore failed: ${messageOf(outcome)}`);
  }
  if (!newJob) return setPlan(draft, job.jobId, { step: 'done' });
  setPlan(draft, job.jobId, { step: 'end-source' });
  const id = planEffectId('end-source', job, plan);
  draft.effects.push({ kind: 'end-source', id, jobId: job.jobId, restarts: job.restarts });
}

/**
 * There is no such run to be moved. Where that is not what Slurm said last, the plan fails: dropped, it would be
 * made anew at once, again and again. It fails as well where nobody knows how the run ended.
 */
function runGone(draft: Draft, job: JobRecord, plan: Plan, message: string): void {
  if (job.endedAs === ABSENT) return failPlan(draft, job, plan, `${message}, and nobody knows how it ended`);
  if (isLive(job) || wasLost(job)) return failPlan(draft, job, plan, message);
  dropPlan(draft, job.jobId, message);
}

function sourceSettled(draft: Draft, job: JobRecord, outcome: Outcome): void {
  setPlan(draft, job.jobId, { step: 'done' });
  if (outcome.type === 'done' || outcome.type === 'stale') {
    draft.note('info', 'source-ended', job, `the old run of job ${job.jobId} has ended`);
    return;
  }
  const problem = `the old run of job ${job.jobId} still runs: ${messageOf(outcome)}`;
  draft.note('error', 'source-remains', job, `two copies: ${problem}`, {
    advice: `scancel ${job.jobId}, ${ARRAY_TASK}`,
  });
}
