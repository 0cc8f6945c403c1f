import type { JobFacts } from '../../vocabulary/job.ts';
import type { JobRecord, ReadyCheckpoint } from '../../vocabulary/state.ts';

/** A run is identified by job id and restart count. A reused id shows in the owner and the submit time. */
export function sameRun(known: JobRecord, facts: JobFacts): boolean {
  if (known.restarts !== facts.restarts) return false;
  if (known.facts === null) return true;
  if (known.facts.uid !== facts.uid) return false;
  return known.facts.submitAt === facts.submitAt || (isRequeued(known.facts) && sameJob(known, facts));
}

/** Slurm counts a requeue at once, but resets the submit time only when the old run has left its nodes. */
function isRequeued({ restarts, state }: JobFacts): boolean {
  return restarts > 0 && state === 'COMPLETING';
}

/**
 * Ignores the submit time, which a requeue resets; owner and name stay. Only `scontrol update` changes a name, and the
 * record follows that when Slurm reports it.
 */
export function sameJob(known: JobRecord, facts: JobFacts): boolean {
  return known.facts === null || (known.facts.uid === facts.uid && known.facts.name === facts.name);
}

/** True for a late report of an earlier run. Fewer restarts but a later submit time means another job. */
export function isLate(known: JobRecord, facts: JobFacts): boolean {
  if (facts.restarts >= known.restarts) return false;
  if (known.facts === null) return true;
  // Without the name: the earlier run may have had another.
  return facts.uid === known.facts.uid && facts.submitAt <= known.facts.submitAt;
}

/**
 * True if the checkpoint is of this run, or of an earlier one of the same job. For the same run the submit time
 * decides and not the name, since users rename running jobs.
 */
export function belongsTo(ready: ReadyCheckpoint, facts: JobFacts): boolean {
  if (ready.uid !== facts.uid) return false;
  if (ready.restarts === facts.restarts) return ready.submitAt === facts.submitAt;
  return ready.restarts < facts.restarts && ready.jobName === facts.name;
}

/** The checkpoint with the job's current name, so that the job's next run is recognised. */
export function renamed(
  ready: ReadyCheckpoint,
  before: JobFacts | null,
  { name }: JobFacts,
): ReadyCheckpoint {
  const follows = before !== null && before.name !== name && ready.jobName === before.name;
  return follows ? { ...ready, jobName: name } : ready;
}
