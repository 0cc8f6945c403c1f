import type { CheckpointKind, CheckpointReason, EpochMs, JobId } from '../../vocabulary/job.ts';
import { runKey } from '../../vocabulary/job.ts';
import type { Draft } from '../draft.ts';
import { ruleFor } from '../rules.ts';

/** Time for the API to accept a checkpoint. Cedana's own clients wait 40 s for a job to be registered. */
const ACCEPT_WITHIN_MS = 60_000;

export interface CheckpointWish {
  readonly reason: CheckpointReason;
  /** Default: the kind of the job's policy. */
  readonly kind?: CheckpointKind | null;
  readonly requestId?: string;
  /** An earlier end than the usual minute to be accepted within. */
  readonly acceptBy?: EpochMs | null;
}

/** Starts a checkpoint of the job's run. The caller has checked that none is under way. */
export function askCheckpoint(draft: Draft, jobId: JobId, wish: CheckpointWish): void {
  const job = draft.jobs.get(jobId);
  if (!job) return;
  const id = `checkpoint:${runKey(jobId, job.restarts)}:${draft.at}.${job.asked}`;
  const kind = wish.kind ?? ruleFor(job, draft.policy)?.kind ?? 'simple';
  draft.effects.push({
    kind: 'checkpoint',
    id,
    jobId,
    restarts: job.restarts,
    jobName: job.facts?.name ?? '',
    checkpointKind: kind,
    reason: wish.reason,
    expiresAt: Math.min(draft.at + ACCEPT_WITHIN_MS, wish.acceptBy ?? Number.POSITIVE_INFINITY),
  });
  draft.change(jobId, {
    asked: job.asked + 1,
    checkpoint: {
      effectId: id,
      actionId: null,
      kind,
      reason: wish.reason,
      startedAt: draft.at,
      requestId: wish.requestId ?? null,
    },
  });
}

export function checkpointsUnderWay(draft: Draft): number {
  let n = 0;
  for (const job of draft.jobs.values()) if (job.checkpoint !== null) n++;
  return n;
}
