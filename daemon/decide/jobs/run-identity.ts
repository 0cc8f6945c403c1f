import type { JobFacts } from '../../vocabulary/job.ts';
import type { JobRecord, ReadyCheckpoint } from '../../vocabulary/state.ts';

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

/**
 * A requeue keeps owner and name and resets the submit time, so the submit time says nothing. A name changes in
 * between only by `scontrol update`, which the record follows when it sees it.
 */
export function sameJob(known: JobRecord, facts: JobFacts): boolean {
  return known.facts === null || (known.facts.uid === facts.uid && known.facts.name === facts.name);
}

/** Late word on an earlier run. A run with fewer restarts that was submitted later is one of another job. */
export function isLate(known: JobRecord, facts: JobFacts): boolean {
  if (facts.restarts >= known.restarts) return false;
  if (known.facts === null) return true;
  // Without the name: the earlier run may have had another.
  return facts.uid === known.facts.uid && facts.submitAt <= known.facts.submitAt;
}

/**
 * The checkpoint is of this run, or of an earlier one of the same job. Of a run the submit time tells; its name does
 * not, since users rename jobs that run.
 */
export function belongsTo(ready: ReadyCheckpoint, facts: JobFacts): boolean {
  if (ready.uid !== facts.uid) return false;
  if (ready.restarts === facts.restarts) return ready.submitAt === facts.submitAt;
  return ready.restarts < facts.restarts && ready.jobName === facts.name;
}

/** The checkpoint under the name that the job has now, so that its next run is known by it. */
export function renamed(
  ready: ReadyCheckpoint,
  before: JobFacts | null,
  { name }: JobFacts,
): ReadyCheckpoint {
  const follows = before !== null && before.name !== name && ready.jobName === before.name;
  return follows ? { ...ready, jobName: name } : ready;
}
