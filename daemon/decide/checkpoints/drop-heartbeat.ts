import type { JobRecord } from '../../vocabulary/state.ts';
import type { Draft } from '../draft.ts';

/** A heartbeat that is not sent is counted, never made up for. */
export function noteDropped(draft: Draft, job: JobRecord, why: string): void {
  draft.note('info', 'heartbeat-dropped', job, `heartbeat dropped: ${why}`);
}

/** What waits is dropped: the API is away, or the daemon was, and its return is not to be answered with a burst. */
export function dropWaiting(draft: Draft, why: string): void {
  for (const job of draft.jobs.values()) {
    if (!job.heartbeat.waiting) continue;
    noteDropped(draft, job, why);
    draft.change(job.jobId, { heartbeat: { ...job.heartbeat, waiting: false } });
  }
}
