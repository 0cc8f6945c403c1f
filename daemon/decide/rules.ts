import type { EpochMs, JobFacts, JobOverride } from '../vocabulary/job.ts';
import { ruleOf } from '../vocabulary/job-rule.ts';
import type { HeartbeatRule, Policy } from '../vocabulary/policy.ts';
import { NODE_FAILURE_STATES } from '../vocabulary/slurm-states.ts';
import type { JobRecord } from '../vocabulary/state.ts';

/**
 * True if this daemon acts for the job. That is the daemon on the batch host, for a heterogeneous job on its leader's
 * batch host; no other daemon touches the job.
 */
export function owns(facts: JobFacts, node: string): boolean {
  return facts.batchHost === node && (facts.hetJobId === null || facts.hetJobId === facts.jobId);
}

/** True if the run is RUNNING by all that is known: not pending, suspended, completing or ended. */
export function isLive(job: JobRecord): boolean {
  return job.facts?.state === 'RUNNING' && job.endedAt === null;
}

/** True if the run looks over from this node, and Slurm has not said yet how it ended. */
export function awaitsVerdict(job: JobRecord): boolean {
  return job.endedAs === null && (job.endedAt !== null || job.facts?.state === 'COMPLETING');
}

/** The end state of a run that Slurm has forgotten: nobody knows how it ended. */
export const ABSENT = 'ABSENT';

/** True if Slurm gave up the run because of its node, and does not requeue it. */
export function wasLost(job: JobRecord): boolean {
  return job.endedAs !== null && NODE_FAILURE_STATES.has(job.endedAs);
}

/** The job's heartbeat rule, or null where its policy or its user wants ckptd to leave it alone. */
export function ruleFor(job: JobRecord, policy: Policy): HeartbeatRule | null {
  const { facts } = job;
  if (facts === null || job.override.off) return null;
  const rule = ruleOf(policy.rules, facts);
  return rule?.enabled ? overridden(rule.heartbeat, job.override) : null;
}

function overridden(rule: HeartbeatRule, override: JobOverride): HeartbeatRule {
  return {
    ...rule,
    ...(override.every === undefined ? {} : { trigger: { every: override.every } }),
    ...(override.kind === undefined ? {} : { kind: override.kind }),
  };
}

/** The cost of losing the job now, in CPU-milliseconds: CPUs × time since the last ready checkpoint. */
export function unsavedWork(job: JobRecord, at: EpochMs): number {
  const since = job.ready?.takenAt ?? job.facts?.startAt ?? at;
  return Math.max(0, at - since) * (job.facts?.cpus ?? 1);
}

/** The largest unsaved work first; among equals the lowest job id. */
export function byUnsavedWork(at: EpochMs): (a: JobRecord, b: JobRecord) => number {
  return (a, b) => unsavedWork(b, at) - unsavedWork(a, at) || a.jobId - b.jobId;
}
