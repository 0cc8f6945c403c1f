import type { CheckpointKind, Millis } from '../vocabulary/job.ts';
import type { HeartbeatRule } from '../vocabulary/policy.ts';

/** A heartbeat as the file has it, with what was said and nothing else. */
export interface HeartbeatKeys {
  readonly schedule?: string;
  readonly every?: Millis;
  readonly splay?: Millis;
  readonly min_age?: Millis;
  readonly kind?: CheckpointKind;
}

export const DEFAULT_HEARTBEAT: HeartbeatRule = {
  trigger: { cron: '*/15 * * * *' },
  splay: 300_000,
  minAge: 120_000,
  kind: 'simple',
};

/**
 * `base` with what `own` says instead. A splay that was taken over is cut to a period that is shorter: with
 * `every: 2m`, a default of 5m would let heartbeats be due after the next one.
 */
export function override(base: HeartbeatRule, own: HeartbeatKeys): HeartbeatRule {
  const trigger =
    own.every !== undefined
      ? { every: own.every }
      : own.schedule !== undefined
        ? { cron: own.schedule }
        : base.trigger;
  const most = 'every' in trigger ? trigger.every : Number.POSITIVE_INFINITY;
  return {
    trigger,
    splay: Math.min(own.splay ?? base.splay, most),
    minAge: own.min_age ?? base.minAge,
    kind: own.kind ?? base.kind,
  };
}
