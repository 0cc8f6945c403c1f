import type { Effect } from './effect.ts';
import type { CheckpointKind, EpochMs, JobFacts, JobId, JobOverride } from './job.ts';
import type { NodeFacts } from './node.ts';
import type { Notice } from './notice.ts';
import type { Outcome } from './outcome.ts';

/** Everything that can happen to the daemon. Each event carries its time: `decide` has no clock. */
export type DaemonEvent =
  /** The daemon came up, or its configuration changed. */
  | { readonly type: 'started'; readonly at: EpochMs }
  /** The time that `decide` asked for with `wakeAt` has come. */
  | { readonly type: 'tick'; readonly at: EpochMs }
  /** A cron schedule of the configuration fired. */
  | { readonly type: 'slot'; readonly at: EpochMs; readonly schedule: string }
  /** Slurm's word on one job. */
  | { readonly type: 'job'; readonly at: EpochMs; readonly facts: JobFacts }
  /** Slurm says that it knows no such job. */
  | { readonly type: 'job-absent'; readonly at: EpochMs; readonly jobId: JobId }
  /** The Prolog of a job ran on this node: Slurm has to be asked for the rest. */
  | {
      readonly type: 'prolog';
      readonly at: EpochMs;
      readonly jobId: JobId;
      readonly restarts: number;
      readonly override: JobOverride;
    }
  /** The Epilog of a job ran on this node. On a requeue it already carries the next run's restart count. */
  | { readonly type: 'epilog'; readonly at: EpochMs; readonly jobId: JobId; readonly restarts: number }
  | { readonly type: 'node'; readonly at: EpochMs; readonly facts: NodeFacts }
  /** What one source of notices says now, whole: what it said before and does not say any more is withdrawn. */
  | {
      readonly type: 'notices';
      readonly at: EpochMs;
      readonly source: string;
      readonly standing: readonly Notice[];
    }
  /** Each source of notices that is here has spoken once. `bootedAt`: when this host came up. */
  | { readonly type: 'notices-heard'; readonly at: EpochMs; readonly bootedAt: EpochMs }
  /** An effect came to its end. */
  | { readonly type: 'settled'; readonly at: EpochMs; readonly effect: Effect; readonly outcome: Outcome }
  /** An administrator asks by hand; `requestId` names the answer that waits for it. */
  | {
      readonly type: 'ask-checkpoint';
      readonly at: EpochMs;
      readonly jobId: JobId;
      readonly kind: CheckpointKind | null;
      readonly requestId: string;
    }
  | {
      readonly type: 'ask-restore';
      readonly at: EpochMs;
      readonly jobId: JobId;
      readonly actionId: string | null;
      readonly requestId: string;
    }
  /** Somebody tells by hand that this node goes away, or takes that back; the notice's source is `socket`. */
  | { readonly type: 'ask-notice'; readonly at: EpochMs; readonly notice: Notice; readonly requestId: string }
  | {
      readonly type: 'ask-withdraw';
      readonly at: EpochMs;
      readonly noticeId: string;
      readonly requestId: string;
    };

/** What the sources of notices emit. */
export type NoticesEvent = Extract<DaemonEvent, { type: 'notices' }>;
