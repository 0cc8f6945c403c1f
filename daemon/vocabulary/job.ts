/** Milliseconds since the epoch, on the daemon's clock (`system/clock.ts`), which never runs backwards. */
export type EpochMs = number;
/** A length of time in milliseconds. */
export type Millis = number;

/** A time as ISO 8601; null for none. Deadlines are other people's numbers, and a Date holds 8.64e15 ms. */
export function iso(at: EpochMs | null): string | null {
  return at === null || !(Math.abs(at) <= 8.64e15) ? null : new Date(at).toISOString();
}

/** A numeric Slurm job id; for an array task the task's own id (`squeue %A`), never `3_1`. */
export type JobId = number;

/** One run of a job: `<job id>.<restart count>`. A requeue keeps the id and counts the restarts up. */
export type RunKey = `${number}.${number}`;

export function runKey(jobId: JobId, restarts: number): RunKey {
  return `${jobId}.${restarts}`;
}

/** How much of a job a checkpoint holds, in the API's own words (`CheckpointKind` of its OpenAPI text). */
export type CheckpointKind = 'simple' | 'rootfs' | 'rootfsonly';
export const CHECKPOINT_KINDS: readonly CheckpointKind[] = ['simple', 'rootfs', 'rootfsonly'];

/** Why a checkpoint is asked for (`CheckpointReason`). */
export type CheckpointReason = 'heartbeat' | 'manual';

/** Why a restore is asked for (`RestoreReason`). */
export type RestoreReason = 'nodeTermination' | 'nodeUnschedulable' | 'manual';

/**
 * What Slurm says of one run of a job. Text that users choose (`name`, `account`, `qos`) is valid
 * Unicode here, whatever bytes they gave, and empty where Slurm has none.
 */
export interface JobFacts {
  readonly jobId: JobId;
  readonly restarts: number;
  readonly uid: number;
  readonly user: string;
  /** The state without flags, upper case: RUNNING, PENDING, SUSPENDED, COMPLETING, COMPLETED, NODE_FAIL … */
  readonly state: string;
  /** Every node of the job, expanded; for a heterogeneous job the nodes of all its components. */
  readonly nodes: readonly string[];
  /** The node that runs the batch script; null while the job is pending. */
  readonly batchHost: string | null;
  readonly partition: string;
  readonly account: string;
  readonly qos: string;
  readonly name: string;
  readonly cpus: number;
  readonly startAt: EpochMs | null;
  readonly submitAt: EpochMs;
  /** Whether Slurm itself may requeue the job (`Requeue`). */
  readonly requeue: boolean;
  /** The leader's id of a heterogeneous job, else null. */
  readonly hetJobId: JobId | null;
}

/** What a user asked for with `--ckpt-…`, as the SPANK plugin hands it to the Prolog (`SPANK_CKPT_*`). */
export interface JobOverride {
  readonly every?: Millis;
  readonly kind?: CheckpointKind;
  readonly off?: boolean;
}
