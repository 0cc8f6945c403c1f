import type { JobFacts, JobOverride } from '../vocabulary/job.ts';
import type { HeartbeatRule, Policy } from '../vocabulary/policy.ts';
import { MATCH_FIELDS } from '../vocabulary/policy.ts';
import type { JobRecord } from '../vocabulary/state.ts';

/**
 * Whether this daemon acts for the job: the daemon on the batch host does, and for a heterogeneous job the one
 * on its leader's. Everybody else leaves it alone.
 */
export function owns(facts: JobFacts, node: string): boolean {
  return facts.batchHost === node && (facts.hetJobId === null || facts.hetJobId === facts.jobId);
}

/** The run runs, as far as anybody knows: not pending, suspended, completing or ended. */
export function isLive(job: JobRecord): boolean {
  return job.facts?.state === 'RUNNING' && job.endedAt === null;
}

/** The run is over as far as this node can tell, and Slurm has not said yet how it ended. */
export function awaitsVerdict(job: JobRecord): boolean {
  return job.endedAs === null && (job.endedAt !== null || job.facts?.state === 'COMPLETING');
}

/** Slurm gave the run up because of its node, and does not requeue it. */
export function wasLost(job: JobRecord): boolean {
  return job.endedAs === 'NODE_FAIL' || job.endedAs === 'BOOT_FAIL';
}

/** The heartbeat that a job gets, or null where its policy or its user wants none and ckptd leaves it alone. */
export function ruleFor(job: JobRecord, policy: Policy): HeartbeatRule | null {
  const { facts } = job;
  if (facts === null || job.override.off) return null;
  const rule = policy.rules.find((r) => MATCH_FIELDS.every((f) => globMatches(r.match[f] ?? '*', facts[f])));
  return rule?.enabled ? overridden(rule.heartbeat, job.override) : null;
}

function overridden(rule: HeartbeatRule, override: JobOverride): HeartbeatRule {
  return {
    ...rule,
    ...(override.every === undefined ? {} : { trigger: { every: override.every } }),
    ...(override.kind === undefined ? {} : { kind: override.kind }),
  };
}

/**
 * Shell-like globs: `*` any run of characters, `?` one; everything else is itself. At most pattern × text steps, since
 * the text is what users choose.
 */
export function globMatches(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let star = -1;
  let retry = 0;
  while (t < text.length) {
    if (pattern[p] === '*') {
      star = p++;
      retry = t;
    } else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === text[t])) {
      p++;
      t++;
    } else if (star >= 0) {
      p = star + 1;
      t = ++retry;
    } else {
      return false;
    }
  }
  while (pattern[p] === '*') p++;
  return p === pattern.length;
}
