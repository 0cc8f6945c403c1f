import type { Clock, Exec, Log } from '../system/ports.ts';
import type { CheckpointKind, CheckpointReason, JobId, Millis, RestoreReason } from '../vocabulary/job.ts';
import type { EngineConfig } from './config/config.ts';
import type { Manifest, Order, RunRecord } from './manifest.ts';

/** What every part of the engine is made with. */
export interface EnginePorts {
  readonly config: EngineConfig;
  readonly store: Store;
  readonly exec: Exec;
  readonly clock: Clock;
  readonly log: Log;
  /** Ends with the engine. */
  readonly signal: AbortSignal;
}

/**
 * The checkpoints on the shared file system. Every method rejects with `StoreError` and nothing else; its
 * message is for an admin and names the path. Folders are validated at every look: root's own, private, no
 * links, this cluster's, a version that this engine knows.
 */
export interface Store {
  /** Makes `<job>/.new-<action id>/`, with a mark of this node and nothing else in it. */
  begin(jobId: JobId, actionId: string): Promise<Pending>;
  /**
   * Null: no such checkpoint in this cluster. Rejects for one that is there and cannot be used (damaged, newer,
   * foreign). With the job's id it is one look, without it perhaps a search through all jobs' folders.
   */
  find(actionId: string, jobId?: JobId): Promise<Found | null>;
  /** Newest first, deprecated ones included; what cannot be used is logged as an error and left out. */
  ofJob(jobId: JobId): Promise<readonly Found[]>;
  /**
   * The paths of those files that a checkpoint of another job names too, by inode and path, as open to be appended to.
   * Of other jobs the 500 with the nearest ids are looked at.
   */
  namedByOthers(
    jobId: JobId,
    files: readonly { readonly path: string; readonly ino: string }[],
  ): Promise<readonly string[]>;
  writeOrder(order: Order): Promise<void>;
  /** Null: none. */
  readOrder(jobId: JobId): Promise<Order | null>;
  removeOrder(jobId: JobId): Promise<void>;
  /** The job's newest run, from now on: checkpoints of older ones are not published any more. */
  writeRun(run: RunRecord): Promise<void>;
  /** The same, where none is recorded yet. */
  claimRun(run: RunRecord): Promise<void>;
  /** Null: none. */
  readRun(jobId: JobId): Promise<RunRecord | null>;
  /** Not restored from any more. Idempotent: the first `why` stays. */
  deprecate(actionId: string, why: string): Promise<void>;
  /** Every checkpoint and the order of a job, and what is being written for it: that cannot be published then. */
  removeJob(jobId: JobId, why: string): Promise<void>;
}

/** A checkpoint that is being written. Nobody else sees it. */
export interface Pending {
  /** Absolute path. Files in it may have any mode: nobody but root gets past the folders above. */
  readonly dir: string;
  /**
   * To disk as a whole, then renamed into its place; then the job's oldest beyond `keep` are removed. After a
   * rejection nothing of it is left.
   */
  publish(manifest: Manifest): Promise<Found>;
  /** Removes it. Does nothing after `publish`. Never rejects: what cannot be removed is logged, and swept later. */
  discard(): Promise<void>;
}

export interface Found {
  readonly manifest: Manifest;
  /** Absolute path of the checkpoint's folder. */
  readonly dir: string;
  /** Why it may not be restored from any more. */
  readonly deprecated: string | null;
}

/** How far a checkpoint is, in the words of the API. */
export interface CheckpointStatus {
  readonly status: 'initialized' | 'processing' | 'checkpoint_created' | 'error';
  readonly details?: string;
}

export type Accepted = { readonly ok: true; readonly actionId: string };
export type CheckpointAnswer =
  | Accepted
  | { readonly ok: false; readonly status: 404 | 500; readonly message: string };
export type RestoreAnswer =
  | Accepted
  | { readonly ok: false; readonly status: 400 | 404 | 500; readonly message: string };

/** The source's side: jobs that run here are dumped, and sent on their way. */
export interface Checkpointer extends AsyncDisposable {
  /** Answers as soon as the dump is under way. */
  checkpoint(ask: {
    readonly jobId: JobId;
    readonly kind: CheckpointKind;
    readonly reason: CheckpointReason;
  }): Promise<CheckpointAnswer>;
  /** Of those under way, or failed, since the engine started; null for others, and for those that are published. */
  status(actionId: string): CheckpointStatus | null;
  /** Idempotent while under way: a second ask for the same job joins the first and gets the same answer. */
  restore(ask: { readonly actionId: string; readonly reason: RestoreReason }): Promise<RestoreAnswer>;
  /**
   * Takes a job for the fence: nothing else is done with it until the function that this resolves to is called. Null:
   * a dump or a move of it has not ended within that time.
   */
  lockJob(jobId: JobId, what: string, withinMs: Millis): Promise<(() => void) | null>;
  /** Once, before the engine answers anybody: thaws, and removes staging folders, of this node alone. */
  recover(): Promise<void>;
}

/** What the SPANK plugin says of a batch script that is about to start. */
export interface StartAsk {
  readonly jobId: JobId;
  readonly uid: number;
  readonly gid: number;
  /** Slurm's count for this very start; null from a plugin that does not know it. */
  readonly restarts: number | null;
}

export type StartAnswer =
  /** From the beginning. */
  | null
  /** From the beginning, and the job's work until now is lost: why, for its user. */
  | { readonly type: 'anew'; readonly why: string }
  /** This engine is being stopped, and nothing is decided: the next one is to be asked. */
  | { readonly type: 'later'; readonly why: string }
  /** The whole command that puts the job back. */
  | { readonly type: 'restore'; readonly actionId: string; readonly argv: readonly string[] };

export type Verdict =
  | { readonly ok: true }
  /** `later`: this engine is being stopped, and the next one is to be asked. */
  | { readonly ok: false; readonly message: string; readonly later?: true };

/** The destination's side: what the SPANK plugin asks when a batch script is about to start here. */
export interface Starter {
  /** Once the engine is up, so that its start does not wait: has ready what the first restore would wait for. */
  standBy(): void;
  start(ask: StartAsk): Promise<StartAnswer>;
  /** `pid`: the task, now in the job's cgroup. From the same task it may come twice: everything is done again then. */
  go(jobId: JobId, pid: number): Promise<Verdict>;
  /** Everything is restored, and nothing runs yet. */
  check(jobId: JobId): Promise<Verdict>;
  /** `init`: a pid of this host. `root`: the restored root's pid in its own namespace. Said again, it does nothing. */
  restored(jobId: JobId, pids: { readonly init: number; readonly root: number }): Promise<Verdict>;
  failed(jobId: JobId, message: string): Promise<Verdict>;
  ended(jobId: JobId): Promise<void>;
}
