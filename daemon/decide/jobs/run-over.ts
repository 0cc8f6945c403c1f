import type { JobId } from '../../vocabulary/job.ts';
import type { JobRecord } from '../../vocabulary/state.ts';
import { NO_HEARTBEAT } from '../checkpoints/heartbeat.ts';
import type { Draft } from '../draft.ts';
import { unreachable } from '../evacuation/node-away.ts';
import { holdPlan, makePlan } from '../evacuation/plan.ts';
import { dropPlan, endPlan } from '../evacuation/plan-end.ts';
import { BROUGHT_BACK, KEEPS_RECORD, NOT_RESTORED, planEffectId } from '../evacuation/plan-step.ts';
import { ABSENT, ruleFor, wasLost } from '../rules.ts';

/** Slurm forgets a job `MinJobAge` after its end. The daemon, slurmctld or the node was away for longer. */
const FORGOTTEN = 'Slurm knows no such job any more, and nobody knows how it ended';

/** Slurm is done with the run. Its first end state counts; a later "no such job" adds nothing. */
export function endRun(draft: Draft, jobId: JobId, endedAs: string): void {
  const known = draft.jobs.get(jobId);
  if (!known || known.endedAs !== null) return;
  const job = draft.put({ ...known, endedAs, endedAt: known.endedAt ?? draft.at, heartbeat: NO_HEARTBEAT });
  if (wasLost(job)) return nodeFailure(draft, job, endedAs);
  // If a restore is under way, its answer decides: `plan-settled.ts`.
  if (endedAs === ABSENT && mayBeLost(job)) forgotten(draft, job);
  endPlan(draft, job, `the run ended: ${endedAs}`);
}

/** True if the forgotten run may be lost: it was to be moved, or we had set `Requeue=0`. It may also have succeeded. */
function mayBeLost({ plan, requeueDisabledByUs }: JobRecord): boolean {
  if (plan !== null && (plan.step === 'restore' || BROUGHT_BACK.has(plan.step))) return false;
  return requeueDisabledByUs || (plan !== null && NOT_RESTORED.has(plan.step));
}

function forgotten(draft: Draft, job: JobRecord): void {
  const { jobId, ready, checkpoint, plan } = job;
  draft.note('error', 'job-lost', job, `job ${jobId} is lost: ${FORGOTTEN}`, {
    node: plan?.node ?? draft.policy.node,
    action_id: ready?.actionId ?? null,
    ...(checkpoint?.actionId ? { under_way: checkpoint.actionId } : {}),
    advice: `see with sacct -j ${jobId} whether it completed; else restore its last checkpoint by hand`,
  });
}

/** Slurm gave up the run and does not requeue it: only its last checkpoint is left. */
function nodeFailure(draft: Draft, job: JobRecord, endedAs: string): void {
  const { plan } = job;
  if (plan === null || plan.step === 'rehearsed') {
    const ownNode = draft.nodes.get(draft.policy.node)?.facts;
    if (ruleFor(job, draft.policy) === null) return;
    // On a node that Slurm cannot reach the job may still run: a restore could make two copies of it.
    const hopeful = job.ready !== null || job.checkpoint !== null;
    if (!hopeful || !draft.policy.restore.onDrain || unreachable(ownNode)) return lost(draft, job, endedAs);
    if (draft.policy.restore.dryRun) {
      const details = { action_id: job.ready?.actionId ?? null, reason: 'nodeUnschedulable' };
      draft.noteDryRun(
        job,
        'a restore of its last checkpoint would be asked for (nodeUnschedulable)',
        details,
      );
      return lost(draft, job, endedAs);
    }
    return makePlan(draft, job, { node: null, reason: 'nodeUnschedulable' });
  }
  if (plan.step === 'failed') return lost(draft, job, endedAs);
  if (plan.step === 'guard') draft.recalls.push(planEffectId('guard', job, plan));
  if (plan.step === 'guard' || plan.step === 'stranded') holdPlan(draft, job.jobId);
}

function lost(draft: Draft, job: JobRecord, endedAs: string): void {
  draft.note(
    'error',
    'job-lost',
    job,
    `job ${job.jobId} is lost: ${endedAs}, and Slurm does not requeue it`,
    {
      action_id: job.ready?.actionId ?? null,
      advice:
        'see that no process of it is left, then restore its last checkpoint by hand or submit it again',
    },
  );
}

/**
 * Ends all that is open for a run whose record goes, or becomes another run's: requests are answered, the plan ends.
 * `nextRun`: the job's current run, or null if the job is gone or the id belongs to another job.
 */
export function abandonRun(draft: Draft, job: JobRecord, why: string, nextRun: number | null): void {
  draft.reply(job.checkpoint?.requestId ?? null, { status: 409, message: why });
  const { plan } = job;
  if (!plan) return;
  // The `Requeue` flag belongs to the job, not to the run. If the id was reused, it is another job's flag.
  if (nextRun === null) draft.change(job.jobId, { plan: { ...plan, guarded: false } });
  if (NOT_RESTORED.has(plan.step)) return dropPlan(draft, job.jobId, why, nextRun);
  if (plan.step === 'restore') draft.recalls.push(planEffectId('restore', job, plan));
  const copying = plan.step === 'restore' || plan.step === 'end-source';
  if (!copying || nextRun === null || draft.policy.restore.sourceJob === 'leave') return;
  draft.note(
    'error',
    'source-remains',
    job,
    `two copies may come: job ${job.jobId} was requeued while its restore was under way`,
    { advice: `look for the restored job, then scancel one of them` },
  );
}

/** Drops the records of ended runs: Slurm has confirmed the end, and nothing is under way for them. */
export function sweep(draft: Draft): void {
  for (const job of draft.jobs.values()) {
    if (job.endedAs === null || job.checkpoint !== null) continue;
    if (job.plan && KEEPS_RECORD.has(job.plan.step)) continue;
    draft.note('info', 'run-ended', job, `the run ended: ${job.endedAs}`);
    draft.drop(job.jobId);
  }
}
