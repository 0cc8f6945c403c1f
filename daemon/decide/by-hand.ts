import type { DaemonEvent } from '../vocabulary/event.ts';
import type { JobId } from '../vocabulary/job.ts';
import type { JobRecord } from '../vocabulary/state.ts';
import { askCheckpoint } from './checkpoints/ask-checkpoint.ts';
import type { Draft } from './draft.ts';
import { makePlan } from './evacuation/plan.ts';
import { PASSIVE_STEPS } from './evacuation/plan-step.ts';
import { isLive } from './rules.ts';

type Asked<T extends DaemonEvent['type']> = Extract<DaemonEvent, { type: T }>;

/** An administrator asks for a checkpoint: reason `manual`, whatever the policy says. */
export function checkpointAsked(draft: Draft, event: Asked<'ask-checkpoint'>): void {
  const job = liveJob(draft, event.jobId, event.requestId);
  if (!job) return;
  if (job.checkpoint !== null) {
    const message = `a checkpoint of job ${job.jobId} is under way since ${new Date(job.checkpoint.startedAt).toISOString()}`;
    return draft.reply(event.requestId, { status: 409, message });
  }
  askCheckpoint(draft, job.jobId, { reason: 'manual', kind: event.kind, requestId: event.requestId });
}

/** An administrator asks for a restore, from a named checkpoint or from the newest that can be had. */
export function restoreAsked(draft: Draft, event: Asked<'ask-restore'>): void {
  const job = liveJob(draft, event.jobId, event.requestId);
  if (!job) return;
  const { plan } = job;
  if (plan && !PASSIVE_STEPS.has(plan.step)) {
    const message = `job ${job.jobId} is already on its way to another node (${plan.step})`;
    return draft.reply(event.requestId, { status: 409, message });
  }
  if (draft.policy.restore.dryRun) {
    const which = event.actionId ?? job.ready?.actionId ?? null;
    draft.noteDryRun(job, `a restore of ${which ?? 'a final checkpoint'} would be asked for (manual)`, {
      action_id: which,
      reason: 'manual',
    });
    const message = 'restore.dry_run is set in the configuration: nothing is restored';
    return draft.reply(event.requestId, { status: 409, message });
  }
  makePlan(draft, job, {
    node: null,
    reason: 'manual',
    actionId: event.actionId,
    requestId: event.requestId,
  });
}

function liveJob(draft: Draft, jobId: JobId, requestId: string): JobRecord | null {
  const job = draft.jobs.get(jobId);
  if (!job || job.facts === null) {
    const message = `no run of job ${jobId} belongs to this node: ask ckptd on its batch host`;
    draft.reply(requestId, { status: 404, message });
    return null;
  }
  if (isLive(job)) return job;
  draft.reply(requestId, {
    status: 409,
    message: `job ${jobId} is ${job.endedAs ?? job.facts.state}, not RUNNING`,
  });
  return null;
}
