import type { JobRule, Policy } from '../vocabulary/policy.ts';
import type { Config } from './config.ts';

/** What `decide` needs to know of the configuration. */
export function policyOf(config: Config): Policy {
  const { concurrency, ...heartbeat } = config.heartbeat;
  const otherwise: JobRule = { match: {}, enabled: true, resume: true, heartbeat };
  return {
    node: config.slurm.node,
    rules: [...config.policies, otherwise],
    heartbeatConcurrency: concurrency,
    drainNode: config.notices.drainNode,
    noticeProviders: config.notices.providers,
    restore: config.restore,
  };
}

/** Every cron line that a job could be due by, once each, for the source of schedules. */
export function cronLines(policy: Policy): readonly string[] {
  const lines = policy.rules.flatMap(({ enabled, heartbeat: { trigger } }) =>
    enabled && 'cron' in trigger ? [trigger.cron] : [],
  );
  return [...new Set(lines)];
}
