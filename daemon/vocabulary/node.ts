/** State of one node as `sinfo -O StateComplete` has it: a base state and flags, upper case. */
export interface NodeFacts {
  readonly node: string;
  /** For example `MIXED`. */
  readonly base: string;
  /** For example `DRAIN`, `NOT_RESPONDING`; unknown flags are kept. */
  readonly flags: readonly string[];
  /** Free text of whoever set it. 24.11 keeps a stale one after a resume: never infer a drain from it. */
  readonly reason: string;
}
