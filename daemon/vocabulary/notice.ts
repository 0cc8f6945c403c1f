import type { EpochMs } from './job.ts';

/** `termination`: the node will be taken away. `rebalance`: it may be soon; worth a checkpoint, no more. */
export type NoticeKind = 'termination' | 'rebalance';

/**
 * Somebody's word that this node goes away. Two notices with the same id are one notice, whatever else they say: the
 * deadline that came first stands, since some providers promise a time only relative to now.
 */
export interface Notice {
  /** 16 hex digits: a hash of the source, the kind and what the provider itself names the notice by. */
  readonly id: string;
  /** The provider and, where it has several, which of its words this is: `ec2/spot`, `gcp/preempted`, `file`. */
  readonly source: string;
  readonly kind: NoticeKind;
  /** On this host's clock; null where nobody promised a time. May lie in the past. */
  readonly deadline: EpochMs | null;
  /** For people: printable, at most 200 characters. */
  readonly reason: string;
  /** A rehearsal: what would be done is said, and nothing is done. */
  readonly dryRun: boolean;
}
