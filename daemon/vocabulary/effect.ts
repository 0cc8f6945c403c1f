import type { CheckpointKind, CheckpointReason, EpochMs, JobId, RestoreReason } from './job.ts';

/**
 * What the daemon does to the world. An effect is in the journal before it is performed, is performed at
 * least once, and is settled exactly once. Its id is a function of what it is for, so that the same decision
 * made twice is the same effect.
 */
export type Effect =
  /** Ask the API for a checkpoint of this very run, if it still runs. */
  | {
      readonly kind: 'checkpoint';
      readonly id: string;
      readonly jobId: JobId;
      readonly restarts: number;
      readonly jobName: string;
      readonly checkpointKind: CheckpointKind;
      readonly reason: CheckpointReason;
      /** Given up when not accepted by then. */
      readonly expiresAt: EpochMs;
    }
  /** Ask the API until the checkpoint is usable, failed, or the time is over. */
  | {
      readonly kind: 'await-ready';
      readonly id: string;
      readonly jobId: JobId;
      readonly restarts: number;
      readonly actionId: string;
      readonly expiresAt: EpochMs;
    }
  /** Ask the API to bring the job back elsewhere from this checkpoint. */
  | {
      readonly kind: 'restore';
      readonly id: string;
      readonly jobId: JobId;
      readonly restarts: number;
      readonly actionId: string;
      readonly reason: RestoreReason;
      /** Whether the answer to this restore is a new job (Cedana), or the same job requeued (the engine). */
      readonly newJob: boolean;
      /** The socket request that waits for it, if a person asked. */
      readonly requestId: string | null;
    }
  /** Set the job's `Requeue`, so that Slurm does not bring back a second copy beside the restored one. */
  | {
      readonly kind: 'guard';
      readonly id: string;
      readonly jobId: JobId;
      readonly restarts: number;
      readonly requeue: boolean;
      /** Given up when slurmctld did not take it by then. */
      readonly expiresAt: EpochMs;
    }
  /** End the run that was restored elsewhere: this very run and no other. */
  | { readonly kind: 'end-source'; readonly id: string; readonly jobId: JobId; readonly restarts: number }
  /** Drain this node in Slurm, unless somebody else has: `reason` begins as `drain-reason.ts` has it. */
  | { readonly kind: 'drain-node'; readonly id: string; readonly node: string; readonly reason: string }
  /** Lift the drain that has exactly this reason, and no other. */
  | { readonly kind: 'undrain-node'; readonly id: string; readonly node: string; readonly reason: string };

export type EffectKind = Effect['kind'];
/** What is done to the node itself; all others are done for a run. */
export type NodeEffect = Extract<Effect, { node: string }>;
export type RunEffect = Exclude<Effect, NodeEffect>;

export function isNodeEffect(effect: Effect): effect is NodeEffect {
  return effect.kind === 'drain-node' || effect.kind === 'undrain-node';
}
