import type { Clock, Exec, Log } from '../system/ports.ts';
import type { CheckpointKind, CheckpointReason, JobId, RestoreReason } from '../vocabulary/job.ts';
import type { EngineConfig } from './config/config.ts';
import type { Manifest, Order } from './manifest.ts';

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
  writeOrder(order: Order): Promise<void>;
  /** Null: none. */
  readOrder(jobId: JobId): Promise<Order | null>;
  removeOrder(jobId: JobId): Promise<void>;
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
   * To disk, the manifest last, renamed into its place; then the job's oldest beyond `keep` are removed. After
   * a rejection nothing of it is left.
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
  /** Once, before the engine answers anybody: thaws, and removes staging folders, of this node alone. */
  recover(): Promise<void>;
}

export type Verdict = { readonly ok: true } | { readonly ok: false; readonly message: string };

/** The destination's side: what the SPANK plugin asks when a batch script is about to start here. */
export interface Starter {
  /** Null: from the beginning. Else the whole command that puts the job back. */
  start(ask: {
    readonly jobId: JobId;
    readonly uid: number;
    readonly gid: number;
  }): Promise<{ readonly actionId: string; readonly argv: readonly string[] } | null>;
  /** `pid`: the task, now in the job's cgroup. */
  go(jobId: JobId, pid: number): Promise<Verdict>;
  /** Everything is restored, and nothing runs yet. */
  check(jobId: JobId): Promise<Verdict>;
  /** `init`: a pid of this host. `root`: the restored root's pid in its own namespace. */
  restored(jobId: JobId, pids: { readonly init: number; readonly root: number }): Promise<Verdict>;
  failed(jobId: JobId, message: string): Promise<Verdict>;
  ended(jobId: JobId): Promise<void>;
}
