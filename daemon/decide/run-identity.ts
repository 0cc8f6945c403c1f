import type { JobFacts } from '../vocabulary/job.ts';
import type { JobRecord, ReadyCheckpoint } from '../vocabulary/state.ts';

/** A run of a job is its id and its restart count; that an id came back shows in owner and submit time. */
export function sameRun(known: JobRecord, facts: JobFacts): boolean {
  if (known.restarts !== facts.restarts) return false;
  if (known.facts === null) return true;
  if (known.facts.uid !== facts.uid) return false;
  return known.facts.submitAt === facts.submitAt || (isRequeued(known.facts) && sameJob(known, facts));
}

/** Slurm counts a requeue at once, and resets the submit time only when the old run is off its nodes. */
function isRequeued({ restarts, state }: JobFacts): boolean {
  return restarts > 0 && state === 'COMPLETING';
}

/** A requeue keeps owner and name and resets the submit time, so the submit time says nothing. */
export function sameJob(known: JobRecord, facts: JobFacts): boolean {
  return known.facts === null || (known.facts.uid === facts.uid && known.facts.name === facts.name);
}

/** Late word on an earlier run. A run with fewer restarts that was submitted later is one of another job. */
export function isLate(known: JobRecord, facts: JobFacts): boolean {
  if (!sameJob(known, facts) || facts.restarts >= known.restarts) return false;
  return known.facts === null || facts.submitAt <= known.facts.submitAt;
}

/** The checkpoint is of this run, or of an earlier one of the same job. */
export function belongsTo(ready: ReadyCheckpoint, facts: JobFacts): boolean {
  if (ready.uid !== facts.uid || ready.jobName !== facts.name) return false;
  return (
    ready.restarts < facts.restarts ||
    (ready.restarts === facts.restarts && ready.submitAt === facts.submitAt)
  );
}
