import type { CheckpointKind, JobFacts, Millis } from './job.ts';

/** The configuration as `decide` needs it: plain data, nothing to look up. Made by `config/policy.ts`. */
export interface Policy {
  /** This node's name in Slurm. */
  readonly node: string;
  /** First match wins; the last rule matches everything. */
  readonly rules: readonly JobRule[];
  /** Checkpoints under way at once on this node. */
  readonly heartbeatConcurrency: number;
  /** Drain this node when a termination notice comes. */
  readonly drainNode: boolean;
  /** Who is listened to (`notices.providers`); `auto` is everybody. */
  readonly noticeProviders: readonly string[];
  readonly restore: {
    readonly onDrain: boolean;
    readonly onTermination: boolean;
    /** Regular expressions; a drain whose reason matches one is outlived by the jobs. */
    readonly skipReasons: readonly RegExp[];
    readonly finalCheckpoint: boolean;
    /** `cancel`: a restore is a new job, and the old run must end. `leave`: the same job is requeued. */
    readonly sourceJob: 'cancel' | 'leave';
    readonly concurrency: number;
    /** Say what would be done, and do nothing but heartbeats. */
    readonly dryRun: boolean;
  };
}

export interface JobRule {
  /** Globs (`*`, `?`); a field that is left out matches everything. */
  readonly match: Partial<Record<MatchField, string>>;
  readonly enabled: boolean;
  /** A job that Slurm itself requeued goes on from its last ready checkpoint, where the engine takes them. */
  readonly resume: boolean;
  readonly heartbeat: HeartbeatRule;
}

export type MatchField = 'partition' | 'user' | 'account' | 'qos' | 'name';
export const MATCH_FIELDS: readonly (MatchField & keyof JobFacts)[] = [
  'partition',
  'user',
  'account',
  'qos',
  'name',
];

export interface HeartbeatRule {
  /** A cron line that the schedule source fires, or a period since the job's start. */
  readonly trigger: { readonly cron: string } | { readonly every: Millis };
  /** A job's place in `[0, splay)` is a hash of the job. */
  readonly splay: Millis;
  readonly minAge: Millis;
  readonly kind: CheckpointKind;
}
