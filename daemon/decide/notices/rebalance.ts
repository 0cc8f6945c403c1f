import { runKey } from '../../vocabulary/job.ts';
import type { JobRecord, NoticeRecord } from '../../vocabulary/state.ts';
import { askCheckpoint, checkpointsUnderWay } from '../checkpoints/ask-checkpoint.ts';
import type { Draft } from '../draft.ts';
import { PASSIVE_STEPS } from '../evacuation/plan-step.ts';
import { byUnsavedWork, isLive, ruleFor } from '../rules.ts';

/**
 * Gives each run that was there when a rebalance notice came one checkpoint, the largest unsaved work first, within
 * `heartbeat.concurrency`. A checkpoint that was already under way does not count: it began before the notice.
 */
export function rebalance(draft: Draft): void {
  for (const record of draft.notices.values()) if (record.waiting.length > 0) serve(draft, record);
}

function serve(draft: Draft, record: NoticeRecord): void {
  const { notice } = record;
  const waiting = new Set(record.waiting);
  const jobs = [...draft.jobs.values()].filter((job) => waiting.has(runKey(job.jobId, job.restarts)));
  const worthIt = jobs.filter((job) => wantsCheckpoint(draft, job)).sort(byUnsavedWork(draft.at));
  const left = new Set(worthIt);
  let places = draft.policy.heartbeatConcurrency - checkpointsUnderWay(draft);
  for (const job of worthIt) {
    if (notice.dryRun || draft.policy.restore.dryRun) {
      draft.noteDryRun(job, 'a checkpoint would be asked for (manual): rebalance notice', {
        reason: 'manual',
      });
    } else if (job.checkpoint === null && places > 0) {
      places--;
      askCheckpoint(draft, job.jobId, { reason: 'manual' });
    } else continue;
    left.delete(job);
  }
  if (left.size === waiting.size) return;
  draft.putNotice({ ...record, waiting: [...left].map(({ jobId, restarts }) => runKey(jobId, restarts)) });
}

/** True if the run needs a checkpoint. A run that leaves anyway gets one from its plan. */
function wantsCheckpoint(draft: Draft, job: JobRecord): boolean {
  const stays = job.plan === null || PASSIVE_STEPS.has(job.plan.step);
  return isLive(job) && stays && ruleFor(job, draft.policy) !== null;
}
