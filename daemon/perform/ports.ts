import type { NodeAnswer } from '../slurm/sinfo.ts';
import type { JobAnswer } from '../slurm/squeue.ts';
import type { Clock, Log } from '../system/ports.ts';
import type { Effect } from '../vocabulary/effect.ts';
import type { DaemonEvent } from '../vocabulary/event.ts';
import type {
  CheckpointKind,
  CheckpointReason,
  EpochMs,
  JobId,
  Millis,
  RestoreReason,
} from '../vocabulary/job.ts';
import type { Outcome } from '../vocabulary/outcome.ts';

/** Cedana's actions API, as `api/` implements it. */
export interface ActionsApi {
  /** Asks until the API has accepted or refused, or the time is over. */
  checkpoint(
    ask: {
      readonly jobId: JobId;
      readonly jobName: string;
      readonly kind: CheckpointKind;
      readonly reason: CheckpointReason;
      readonly expiresAt: EpochMs;
    },
    signal: AbortSignal,
  ): Promise<Outcome>;
  /** Asks until the checkpoint is ready or has failed, or the time is over. */
  awaitReady(
    ask: { readonly actionId: string; readonly expiresAt: EpochMs },
    signal: AbortSignal,
  ): Promise<Outcome>;
  /** One attempt. The caller finds out whether it may be repeated. */
  restoreOnce(
    ask: { readonly actionId: string; readonly clusterId: string; readonly reason: RestoreReason },
    signal: AbortSignal,
  ): Promise<RestoreAttempt>;
}

export type RestoreAttempt =
  | { readonly type: 'accepted'; readonly actionId: string }
  | { readonly type: 'refused'; readonly status: number; readonly message: string }
  /** The server certainly did not act on it. `afterMs`: the pause that the server asked for. */
  | { readonly type: 'retry'; readonly afterMs: Millis | null; readonly message: string }
  /** The server may have acted on it. */
  | { readonly type: 'ambiguous'; readonly message: string };

/** Whether a restore without an answer has happened all the same. */
export type RestoredLook =
  | { readonly type: 'happened'; readonly message: string }
  | { readonly type: 'not-yet' }
  | { readonly type: 'unknown'; readonly message: string };

/** The daemon's queries to Slurm and its actions on Slurm. */
export interface SlurmActions {
  /** `withinMs` bounds the wait, the queue included; null for as long as a command may take. */
  queryJob(jobId: JobId, signal: AbortSignal, withinMs: Millis | null): Promise<JobAnswer>;
  setRequeue(
    jobId: JobId,
    restarts: number,
    requeue: boolean,
    signal: AbortSignal,
    withinMs: Millis | null,
  ): Promise<Outcome>;
  endRun(jobId: JobId, restarts: number, signal: AbortSignal): Promise<Outcome>;
  queryNode(node: string, signal: AbortSignal): Promise<NodeAnswer>;
  /** One `scontrol update`; `done`: slurmctld has accepted it. */
  drainNode(node: string, reason: string, signal: AbortSignal): Promise<Outcome>;
  undrainNode(node: string, signal: AbortSignal): Promise<Outcome>;
  lookForRestored(
    run: { readonly jobId: JobId; readonly restarts: number; readonly since: EpochMs },
    signal: AbortSignal,
  ): Promise<RestoredLook>;
}

export interface PerformPorts {
  readonly api: ActionsApi;
  readonly slurm: SlurmActions;
  readonly clusterId: string;
  readonly clock: Clock;
  readonly log: Log;
  /** In `[0, 1)`. */
  readonly random: () => number;
  /** For facts that were seen on the way. */
  readonly emit: (event: DaemonEvent) => void;
}

/** One performance of an effect. */
export interface Performance<E extends Effect = Effect> {
  readonly effect: E;
  /** When an earlier process may have sent it; null if it certainly was not sent. */
  readonly sentBefore: EpochMs | null;
  /** To be called right before the effect may leave the process. Durable, so that a later process knows. */
  readonly markSent: () => void;
  /** Aborted when the effect is not wanted any more. */
  readonly recall: AbortSignal;
  /** Aborted when the process ends. The next process performs effects that are unsettled then. */
  readonly signal: AbortSignal;
}
