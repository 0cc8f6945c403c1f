/** A file that slurmstepd truncates when the job starts again. */
export interface Output {
  readonly path: string;
  /** Of the file that the job had open at the dump; null where it had not. Decimal. */
  readonly ino: string | null;
  /** Other jobs append to it too: they may have open what is there, and what was there meanwhile. */
  readonly shared?: boolean | undefined;
}

/** A file that goes back to its length at the dump. */
export interface Rollback {
  readonly path: string;
  /** Decimal. The device is no part of it: each node gives a network file system a number of its own. */
  readonly ino: string;
  readonly size: number;
  /** It was open to be appended to: others may append to it as well, and what is beyond `size` may be theirs. */
  readonly shared: boolean;
  /** CRIU takes it back at this size alone. */
  readonly sized?: boolean | undefined;
  /** Left out: it is cut. What is beyond `size` is `others`' alone, or of whom it is is `unknown`: it stays. */
  readonly whole?: 'others' | 'unknown' | undefined;
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
  | {
      readonly op: 'roll-back';
      readonly tag: string;
      readonly files: readonly Rollback[];
      readonly change: boolean;
    }
  /** Whether no other job is on its way back with one of these files; busy, if one is. */
  | {
      readonly op: 'others-aside';
      readonly tag: string;
      readonly files: readonly { readonly path: string; readonly ino: string }[];
    };

/** The first line of stdin. Each further one is an array of operations, which is answered before the next is read. */
export interface Identity {
  readonly uid: number;
  readonly gid: number;
  /** Without `gid`. */
  readonly groups: readonly number[];
}

/** A line of stdout. The operations are done in their order; the first that fails is the last. */
export type Answer =
  | {
      readonly ok: true;
      /** What an admin and the owner should know, such as where something was put. */
      readonly notes: readonly string[];
    }
  | {
      readonly ok: false;
      readonly message: string;
      /** It passes. */
      readonly busy?: boolean | undefined;
    };
