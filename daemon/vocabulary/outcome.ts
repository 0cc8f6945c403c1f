import type { EpochMs } from './job.ts';

/** How an effect ended. Expected failures are values here, never exceptions. */
export type Outcome =
  /** A checkpoint was accepted under this action id. */
  | { readonly type: 'accepted'; readonly actionId: string }
  /** A checkpoint can be restored from. */
  | { readonly type: 'ready'; readonly readyAt: EpochMs }
  /** A restore was accepted; `actionId` is the new checkpoint's id, or null where only Slurm showed that it happened. */
  | { readonly type: 'restored'; readonly actionId: string | null }
  /** A Slurm effect (guard, end-source, drain-node, undrain-node) is done, or was done already. */
  | { readonly type: 'done' }
  /** The run is not there to be acted on any more (ended, requeued, suspended …); `state` is Slurm's word. */
  | { readonly type: 'stale'; readonly state: string; readonly message: string }
  /** A node's drain is not ours: it was not set, or not lifted. */
  | { readonly type: 'left-alone'; readonly message: string }
  /** The server has nothing to checkpoint here (404, for as long as its clients wait for it). */
  | { readonly type: 'not-checkpointable'; readonly message: string }
  /** A final no: asking again gives the same answer. `status` is the HTTP status, 0 for a Slurm command. */
  | { readonly type: 'refused'; readonly status: number; readonly message: string }
  /** Taken back before it was sent. */
  | { readonly type: 'recalled' }
  /** Nobody answered in time: network, server errors, Slurm away, credentials refused. */
  | { readonly type: 'unavailable'; readonly message: string };
