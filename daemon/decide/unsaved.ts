import type { EpochMs } from '../vocabulary/job.ts';
import type { JobRecord } from '../vocabulary/state.ts';

/** What the loss of the job would cost now, in CPU-milliseconds: CPUs × time since the last ready checkpoint. */
export function unsavedWork(job: JobRecord, at: EpochMs): number {
  const since = job.ready?.takenAt ?? job.facts?.startAt ?? at;
  return Math.max(0, at - since) * (job.facts?.cpus ?? 1);
}

/** The largest unsaved work first; among equals the lowest job id. */
export function byUnsavedWork(at: EpochMs): (a: JobRecord, b: JobRecord) => number {
  return (a, b) => unsavedWork(b, at) - unsavedWork(a, at) || a.jobId - b.jobId;
}
