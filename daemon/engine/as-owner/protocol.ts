/** A file that slurmstepd truncates when the job starts again. */
export interface Output {
  readonly path: string;
  /** Of the file that the job had open at the dump; null where it had not. Decimal. */
  readonly ino: string | null;
}

/** A file that goes back to its length at the dump. */
export interface Rollback {
  readonly path: string;
  /** Decimal. The device is no part of it: each node gives a network file system a number of its own. */
  readonly ino: string;
  readonly size: number;
}

/** Something that a restored process holds. */
export interface Held {
  /** Its bytes, one character each (latin1): names need not be UTF-8. */
  readonly path: string;
  /** As fstat has them, decimal. */
  readonly dev: string;
  readonly ino: string;
  /** What it was opened for; `path`: to be there, or to be a working directory. */
  readonly access: 'read' | 'write' | 'both' | 'path';
}

/** One thing to do, with the rights of the job's owner and no others. */
export type Operation =
  /** The outputs go out of slurmstepd's way. `tag` is `ckptd-<job>.<restarts>`. */
  | { readonly op: 'set-aside'; readonly tag: string; readonly outputs: readonly Output[] }
  /**
   * The outputs take their places again, and what slurmstepd made there steps aside.
   * `left`: they were left by a run that was never heard of again, so what is in their place is kept in sight.
   */
  | {
      readonly op: 'put-back';
      readonly tag: string;
      readonly outputs: readonly Output[];
      readonly left: boolean;
    }
  /**
   * The job begins anew: the outputs come before what it writes now. Takes back `put-back` too. `waiting`: the
   * script has not started, so that nobody but slurmstepd can have written anything yet.
   */
  | {
      readonly op: 'merge-back';
      readonly tag: string;
      readonly outputs: readonly Output[];
      readonly waiting: boolean;
    }
  /** The job is back: what slurmstepd had made is not needed any more. */
  | { readonly op: 'forget'; readonly tag: string; readonly outputs: readonly Output[] }
  /** `change: false` only says whether it could be done. */
  | { readonly op: 'roll-back'; readonly files: readonly Rollback[]; readonly change: boolean }
  /** Whether the owner could have opened each of these himself. */
  | { readonly op: 'identify'; readonly held: readonly Held[] };

/** What stdin holds. The operations are done in their order; the first that fails is the last. */
export interface Request {
  readonly uid: number;
  readonly gid: number;
  /** Without `gid`. */
  readonly groups: readonly number[];
  readonly operations: readonly Operation[];
}

/** What stdout holds. */
export type Answer =
  | {
      readonly ok: true;
      /** What an admin and the owner should know, such as where something was put. */
      readonly notes: readonly string[];
    }
  | { readonly ok: false; readonly message: string };
