import type { EpochMs } from '../../vocabulary/job.ts';
import type { JobRecord, Plan } from '../../vocabulary/state.ts';
import type { Draft } from '../draft.ts';
import { iso } from '../iso.ts';

type Why = Pick<Plan, 'node' | 'reason'> & Partial<Pick<Plan, 'deadline' | 'actionId' | 'requestId'>>;

export function newPlan(episode: EpochMs, why: Why): Plan {
  return {
    episode,
    deadline: null,
    step: 'queued',
    guarded: false,
    waitUntil: null,
    actionId: null,
    requestId: null,
    problem: null,
    ...why,
  };
}

export function makePlan(draft: Draft, job: JobRecord, why: Why): void {
  const plan = newPlan(draft.at, why);
  draft.change(job.jobId, { plan, heartbeat: { ...job.heartbeat, waiting: false } });
  const whence = plan.node === null ? 'by hand' : `node ${plan.node} goes away`;
  draft.note('info', 'plan-made', job, `the run is to be brought to another node: ${whence}`, {
    node: plan.node,
    reason: plan.reason,
    ...(plan.deadline === null ? {} : { deadline: iso(plan.deadline) }),
  });
}
