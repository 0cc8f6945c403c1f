import type { JobRecord, Plan } from '../../vocabulary/state.ts';
import type { Draft } from '../draft.ts';
import { awaitsVerdict, byUnsavedWork, isLive, ruleFor } from '../rules.ts';
import { anyLeaving, type Leaving, leavingNode } from './leaving.ts';
import { beginPlan, makePlan } from './plan.ts';
import { dropPlan } from './plan-end.ts';
import { freePlaces, NOT_RESTORED, planEffectId, RESTORING, UNDER_WAY } from './plan-step.ts';
import { finalCheckpointFits } from './plan-time.ts';
import { rehearse } from './rehearse.ts';
import { retime } from './retime.ts';
import { awaitsConfirmation } from './unconfirmed.ts';

/** Makes a plan for each run that has a part on a node that goes away, and has none yet. */
export function evacuate(draft: Draft): void {
  const anyAway = anyLeaving(draft);
  const rehearsals: { job: JobRecord; leaving: Leaving }[] = [];
  for (const job of draft.jobs.values()) {
    const why = job.plan === null ? null : unwanted(draft, job, job.plan);
    if (why !== null) {
      dropPlan(draft, job.jobId, why);
    } else if (anyAway && isLive(job)) {
      const leaving = planFor(draft, job);
      if (leaving?.dryRun) rehearsals.push({ job, leaving });
    }
  }
  const order = byUnsavedWork(draft.at);
  rehearsals.sort((a, b) => order(a.job, b.job));
  for (const { job, leaving } of rehearsals) rehearse(draft, job, leaving);
  retime(draft);
  beginQueued(draft);
}

/** Why a plan is not wanted any more: configuration and Prolog may come after the drain. Manual plans stay. */
function unwanted(draft: Draft, job: JobRecord, plan: Plan): string | null {
  if (plan.node === null || !NOT_RESTORED.has(plan.step)) return null;
  if (ruleFor(job, draft.policy) === null) return 'its policy, or its user, leaves it alone';
  return draft.policy.restore.dryRun ? 'restore.dry_run is set' : null;
}

/** Makes the plan that the run needs. In a dry run it only returns why the run would leave. */
function planFor(draft: Draft, job: JobRecord): Leaving | null {
  const leaving = leavingNode(draft, job);
  if (leaving === null || (job.plan !== null && !outlived(job.plan, leaving, draft.at))) return null;
  if (ruleFor(job, draft.policy) === null) return null;
  const { node, reason, deadline, dryRun } = leaving;
  if (!dryRun) makePlan(draft, job, { node, reason, deadline });
  return leaving;
}

/**
 * True if a new plan may replace this one: it failed in an earlier episode (or in the future, if the clock was set
 * back since), or it was a rehearsal and this is in earnest. A run that was restored once is not restored again.
 */
function outlived({ step, episode }: Plan, { since, dryRun }: Leaving, at: number): boolean {
  if (step === 'rehearsed' && !dryRun) return true;
  if (step === 'failed' && dryRun) return false;
  return (step === 'failed' || step === 'rehearsed') && (episode < since || episode > at);
}

/**
 * Begins queued plans as far as `restore.concurrency` allows, the largest unsaved work first. With a deadline, a run
 * that needs no final checkpoint does not wait behind the final checkpoints of others.
 */
function beginQueued(draft: Draft): void {
  draft.reserveMs = null;
  const jobs = [...draft.jobs.values()];
  const queued = jobs.filter(
    (job) => job.plan?.step === 'queued' && !awaitsVerdict(job) && !awaitsConfirmation(draft, job.plan),
  );
  if (queued.length === 0) return;
  let places = freePlaces(draft, UNDER_WAY);
  let restores = freePlaces(draft, RESTORING);
  queued.sort(byUnsavedWork(draft.at));
  for (const job of queued) {
    const plan = job.plan!;
    if (restores <= 0) return;
    if (places <= 0 && !goesStraight(draft, job, plan)) continue;
    beginPlan(draft, job, plan);
    const step = draft.jobs.get(job.jobId)?.plan?.step;
    if (!step || !UNDER_WAY.has(step)) continue;
    places--;
    if (step !== 'checkpoint') restores--;
  }
}

function goesStraight(draft: Draft, job: JobRecord, plan: Plan): boolean {
  if (plan.actionId !== null) return true;
  return plan.deadline !== null && job.ready !== null && !finalCheckpointFits(draft, job, plan);
}

/**
 * Takes plans back whose runs do not have to leave any more. Only if the restore was not sent, and the run is still
 * there.
 */
export function takeBack(draft: Draft): void {
  for (const job of draft.jobs.values()) {
    const { plan } = job;
    if (!plan || plan.node === null || job.endedAs !== null) continue;
    // A node that was forgotten has not been reported as back.
    if (plan.node !== draft.policy.node && !draft.nodes.has(plan.node)) continue;
    if (plan.step === 'done' || plan.step === 'end-source') continue;
    const leaving = leavingNode(draft, job);
    if (leaving !== null && (!leaving.dryRun || plan.step === 'rehearsed')) continue;
    if (plan.step === 'restore') draft.recalls.push(planEffectId('restore', job, plan));
    else dropPlan(draft, job.jobId, `the run need not leave node ${plan.node} any more`);
  }
}
