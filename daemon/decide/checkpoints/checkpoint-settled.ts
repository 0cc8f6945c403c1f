import type { Effect } from '../../vocabulary/effect.ts';
import type { Outcome } from '../../vocabulary/outcome.ts';
import type { CheckpointUnderWay, JobRecord, ReadyCheckpoint } from '../../vocabulary/state.ts';
import type { Draft } from '../draft.ts';
import { checkpointFailed, checkpointReady } from '../evacuation/plan.ts';
import { dropWaiting } from './heartbeat.ts';

/** Time for an accepted checkpoint to become ready. Cedana's own tests wait 5 minutes. */
const READY_WITHIN_MS = 15 * 60_000;
/** After this many failures in a row the period is 64 times as long, and grows no more. */
const MAX_PENALTY = 6;

/** The API accepted or refused a checkpoint, or the checkpoint became ready or failed. */
export function checkpointSettled(
  draft: Draft,
  effect: Extract<Effect, { kind: 'checkpoint' | 'await-ready' }>,
  outcome: Outcome,
): void {
  const job = draft.jobs.get(effect.jobId);
  const underWay = job?.checkpoint;
  if (!job || underWay?.effectId !== effect.id) return;
  if (outcome.type === 'accepted' && underWay.actionId === null)
    return accepted(draft, job, underWay, outcome.actionId);
  if (outcome.type === 'ready' && underWay.actionId !== null) {
    return ready(draft, job, underWay, underWay.actionId, outcome.readyAt);
  }
  failed(draft, job, underWay, outcome);
}

function accepted(draft: Draft, job: JobRecord, underWay: CheckpointUnderWay, actionId: string): void {
  // Not made from the action id: a server may give the same one twice, and each needs a wait of its own.
  const id = underWay.effectId.replace('checkpoint:', 'await-ready:');
  const expiresAt = draft.at + READY_WITHIN_MS;
  draft.put({ ...job, checkpoint: { ...underWay, effectId: id, actionId, requestId: null } });
  draft.effects.push({
    kind: 'await-ready',
    id,
    jobId: job.jobId,
    restarts: job.restarts,
    actionId,
    expiresAt,
  });
  draft.note('info', 'checkpoint-accepted', job, `checkpoint accepted (${underWay.reason})`, {
    action_id: actionId,
    reason: underWay.reason,
    kind: underWay.kind,
  });
  draft.reply(underWay.requestId, { actionId });
}

function ready(
  draft: Draft,
  job: JobRecord,
  underWay: CheckpointUnderWay,
  actionId: string,
  readyAt: number,
): void {
  const checkpoint: ReadyCheckpoint = {
    actionId,
    kind: underWay.kind,
    restarts: job.restarts,
    uid: job.facts?.uid ?? -1,
    jobName: job.facts?.name ?? '',
    submitAt: job.facts?.submitAt ?? -1,
    takenAt: underWay.startedAt,
    tookMs: Math.max(0, readyAt - underWay.startedAt),
  };
  draft.put({
    ...job,
    checkpoint: null,
    ready: checkpoint,
    heartbeat: { ...job.heartbeat, penalty: 0, skip: 0 },
  });
  draft.note('info', 'checkpoint-ready', job, `checkpoint ready after ${checkpoint.tookMs} ms`, {
    action_id: actionId,
    took_ms: checkpoint.tookMs,
  });
  checkpointReady(draft, job.jobId);
}

function failed(draft: Draft, job: JobRecord, underWay: CheckpointUnderWay, outcome: Outcome): void {
  const message = 'message' in outcome ? outcome.message : outcome.type;
  const details = { action_id: underWay.actionId, reason: underWay.reason };
  const accepted = underWay.actionId !== null;
  draft.put({ ...job, checkpoint: null, heartbeat: penalized(job, outcome, accepted) });
  draft.reply(underWay.requestId, { status: replyStatus(outcome), message });
  if (accepted) {
    draft.note('warn', 'checkpoint-failed', job, `checkpoint did not become ready: ${message}`, details);
  } else if (outcome.type === 'stale') {
    draft.note('info', 'heartbeat-dropped', job, `no checkpoint: ${message}`, details);
  } else if (outcome.type === 'not-checkpointable') {
    draft.note('warn', 'not-checkpointable', job, `the API has nothing to checkpoint: ${message}`, details);
  } else if (outcome.type === 'unavailable') {
    draft.note('warn', 'heartbeat-dropped', job, `checkpoint not accepted: ${message}`, details);
    dropWaiting(draft, 'the API is away');
  } else {
    draft.note('warn', 'checkpoint-failed', job, `checkpoint refused: ${message}`, details);
  }
  checkpointFailed(draft, job.jobId, message);
}

/**
 * A failed dump froze its job for nothing, and the next one probably will, so heartbeats become rarer. A server that
 * accepts first reports the failure later. An API that was away before it accepted is not the job's fault.
 */
function penalized(job: JobRecord, { type }: Outcome, accepted: boolean): JobRecord['heartbeat'] {
  const inVain = type === 'not-checkpointable' || type === 'refused' || (accepted && type === 'unavailable');
  if (!inVain) return job.heartbeat;
  const penalty = Math.min(job.heartbeat.penalty + 1, MAX_PENALTY);
  return { ...job.heartbeat, penalty, skip: 2 ** penalty - 1 };
}

function replyStatus(outcome: Outcome): number {
  if (outcome.type === 'refused') return outcome.status >= 400 ? outcome.status : 502;
  if (outcome.type === 'not-checkpointable') return 404;
  return outcome.type === 'stale' ? 409 : 503;
}
