import type {
  CheckpointKind,
  CheckpointReason,
  EpochMs,
  JobFacts,
  JobId,
  JobOverride,
  Millis,
  RestoreReason,
  RunKey,
} from './job.ts';
import type { NodeFacts } from './node.ts';
import type { Notice } from './notice.ts';

/**
 * What the daemon knows. Immutable: `decide` returns a new one that shares every record it did not touch, so
 * that the journal writes only the records whose reference changed.
 */
export interface State {
  /** The newest time that any event carried. */
  readonly clock: EpochMs;
  readonly jobs: ReadonlyMap<JobId, JobRecord>;
  readonly nodes: ReadonlyMap<string, NodeRecord>;
  /** The notices that stand, by id. */
  readonly notices: ReadonlyMap<string, NoticeRecord>;
  /** The last drain of this node that ckptd wanted; null when it never did. */
  readonly ownDrain: OwnDrain | null;
  /**
   * Nodes of which only an earlier process has heard, and until when Slurm's word is waited for; left out: none. Of
   * this process, so not in the journal.
   */
  readonly unconfirmed?: ReadonlyMap<string, EpochMs>;
  /** When the host booted; left out until every source of notices has spoken. Of this process as well. */
  readonly bootedAt?: EpochMs;
}

/** One job that has, or had until a moment ago, a run on this node. */
export interface JobRecord {
  /** Slurm's last word; null from the Prolog until Slurm was asked. */
  readonly facts: JobFacts | null;
  readonly jobId: JobId;
  readonly restarts: number;
  readonly override: JobOverride;
  readonly heartbeat: HeartbeatState;
  /**
   * How many checkpoints this record asked for: part of their effects' ids, since due times come back to the very
   * same moments when the clock was set back over a restart, and an id that was used is never performed again.
   */
  readonly asked: number;
  /** The checkpoint under way, if one is. */
  readonly checkpoint: CheckpointUnderWay | null;
  /** The newest checkpoint that can be restored from, of this run or an earlier one of the same job. */
  readonly ready: ReadyCheckpoint | null;
  readonly plan: Plan | null;
  /**
   * We set `Requeue=0`, and Slurm has not shown it as 1 again since. So `Requeue=0` does not mean that the user asked
   * for it.
   */
  readonly requeueDisabledByUs: boolean;
  /** When this run ended, by the word of its Epilog or of Slurm. */
  readonly endedAt: EpochMs | null;
  /** Slurm's word on how it ended; then the record goes once nothing is under way for it. */
  readonly endedAs: string | null;
}

export interface HeartbeatState {
  /** When the next one is due; null while no schedule has fired for this job. */
  readonly dueAt: EpochMs | null;
  /** The last cron slot that counted for this run: the same slot again is none. */
  readonly slotAt: EpochMs | null;
  /** It was due, and waits for a place among those under way; dropped when it is due again. */
  readonly waiting: boolean;
  /** How often in a row a checkpoint was asked for in vain: each time the period until the next try doubles. */
  readonly penalty: number;
  /** How many due times are still let pass for that. */
  readonly skip: number;
}

export interface CheckpointUnderWay {
  readonly effectId: string;
  /** Null until the API accepted it. */
  readonly actionId: string | null;
  readonly kind: CheckpointKind;
  readonly reason: CheckpointReason;
  readonly startedAt: EpochMs;
  /** The socket request that waits for it, if a person asked. */
  readonly requestId: string | null;
}

export interface ReadyCheckpoint {
  readonly actionId: string;
  readonly kind: CheckpointKind;
  /** The run that it was taken from: job ids come back, and it is good for this job's later runs only. */
  readonly restarts: number;
  readonly uid: number;
  readonly jobName: string;
  readonly submitAt: EpochMs;
  /** When it was asked for: work after this moment is not in it. */
  readonly takenAt: EpochMs;
  /** From asking to ready. */
  readonly tookMs: Millis;
}

/** How a run is brought to another node: one plan a run and episode. */
export interface Plan {
  /** When the episode began: the part of the effects' ids that tells two episodes of one run apart. */
  readonly episode: EpochMs;
  /** The node that goes away; null when a person asked. */
  readonly node: string | null;
  readonly reason: RestoreReason;
  readonly deadline: EpochMs | null;
  readonly step: PlanStep;
  /** The guard took Slurm's `Requeue` from the job: it is given back when the plan is taken back. */
  readonly guarded: boolean;
  /** The final checkpoint is waited for until then. */
  readonly waitUntil: EpochMs | null;
  /** The checkpoint that the restore names, once it is chosen. */
  readonly actionId: string | null;
  readonly requestId: string | null;
  /** What went wrong, for a person. */
  readonly problem: string | null;
}

export type PlanStep =
  /** Waiting for a place among the restores under way. */
  | 'queued'
  /** Keeping Slurm from requeueing the job by itself. */
  | 'guard'
  /** Waiting for the final checkpoint. */
  | 'checkpoint'
  | 'restore'
  | 'end-source'
  /** Nothing to restore from yet: the next checkpoint that becomes ready carries the plan on. */
  | 'stranded'
  /** A dry run: what would have been done was said. */
  | 'rehearsed'
  /** Brought back elsewhere. */
  | 'done'
  /** Could not be brought back, and said so. */
  | 'failed';

export interface NodeRecord {
  readonly facts: NodeFacts;
  /** Since when the node is going away; null while it is not. The name of the episode. */
  readonly awaySince: EpochMs | null;
}

/** Somebody's word that this node goes away, for as long as they keep to it. */
export interface NoticeRecord {
  readonly notice: Notice;
  readonly seenAt: EpochMs;
  /** The runs that are still to get their one checkpoint for a rebalance. */
  readonly waiting: readonly RunKey[];
}

/** One drain for all the notices that stand: it goes when the last of them does. */
export interface OwnDrain {
  /** As it stands in Slurm: a drain with any other reason is somebody else's. */
  readonly reason: string;
  readonly step: OwnDrainStep;
  /** The effect that set it last, or lifts it. */
  readonly effectId: string;
}

export type OwnDrainStep =
  | 'setting'
  | 'set'
  /** Somebody else had drained the node. */
  | 'foreign'
  /** Slurm refused it. */
  | 'failed'
  | 'lifting'
  /** Not there any more, as far as it was ours. A look at the node from before that may still show it. */
  | 'lifted';
