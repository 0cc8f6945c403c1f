import type { JobId } from '../../vocabulary/job.ts';
import type { JobRecord, Plan } from '../../vocabulary/state.ts';
import type { Draft } from '../draft.ts';
import { releaseGuard } from './guard.ts';
import { NOT_RESTORED, planEffectId, setPlan } from './plan-step.ts';

/** Ends a plan that cannot bring its run back, with an error for the administrator. */
export function failPlan(draft: Draft, job: JobRecord, plan: Plan, problem: string): void {
  const lost = job.endedAt !== null;
  setPlan(draft, job.jobId, { step: 'failed', problem, waitUntil: null, requestId: null });
  draft.note(
    'error',
    lost ? 'job-lost' : 'job-in-danger',
    job,
    `job ${job.jobId} is ${lost ? 'lost' : 'in danger'}: ${problem}`,
    {
      node: plan.node,
      action_id: plan.actionId ?? job.ready?.actionId ?? null,
      advice: lost
        ? 'restore its last checkpoint by hand or submit it again'
        : `POST /v1/jobs/${job.jobId}/restore on this node's socket tries again`,
    },
  );
  draft.reply(plan.requestId, { status: 502, message: problem });
  releaseGuard(draft, job.jobId);
}

/**
 * There is nothing to restore from: the plan waits for the next checkpoint that becomes ready. Until then Slurm may
 * requeue the job, since a cold start is better than none. A manual plan ends instead: whoever asked has an answer.
 */
export function strandPlan(draft: Draft, job: JobRecord, plan: Plan, problem: string): void {
  const { jobId } = job;
  if (plan.node === null) return dropPlan(draft, jobId, problem);
  setPlan(draft, jobId, { step: 'stranded', waitUntil: null, problem, requestId: null });
  draft.note(
    'error',
    'job-in-danger',
    job,
    `job ${jobId} is in danger: node ${plan.node} goes away and ${problem}`,
    {
      node: plan.node,
      deadline: plan.deadline,
      advice: `curl --unix-socket SOCKET -X POST http://ckptd/v1/jobs/${jobId}/checkpoint tries again`,
    },
  );
  draft.reply(plan.requestId, { status: 409, message: problem });
  releaseGuard(draft, jobId);
}

/** Drops a plan: the run stays where it is. A checkpoint under way goes on, since it is useful anyway. */
export function dropPlan(draft: Draft, jobId: JobId, why: string, nextRun: number | null = null): void {
  const job = draft.jobs.get(jobId);
  if (!job?.plan) return;
  if (job.plan.step === 'guard') draft.recalls.push(planEffectId('guard', job, job.plan));
  releaseGuard(draft, jobId, nextRun);
  draft.reply(job.plan.requestId, { status: 409, message: why });
  draft.change(jobId, { plan: null });
  draft.note('info', 'plan-dropped', job, `the plan for the run is dropped: ${why}`, { node: job.plan.node });
}

/** The run is over, and its plan with it, as far as it was not carried out. */
export function endPlan(draft: Draft, job: JobRecord, why: string): void {
  if (!job.plan) return;
  if (NOT_RESTORED.has(job.plan.step)) dropPlan(draft, job.jobId, why);
  else if (job.plan.step === 'restore') draft.recalls.push(planEffectId('restore', job, job.plan));
}
