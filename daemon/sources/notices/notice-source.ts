import type { Clock, Exec, Log } from '../../system/ports.ts';
import type { NoticesEvent } from '../../vocabulary/event.ts';
import type { SourceHealth } from './source-health.ts';

/** What the sources of notices need of the daemon. */
export interface NoticePorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly exec: Exec;
  /** This node's name in Slurm. */
  readonly node: string;
  /**
   * What a source says now, whole: a notice that is missing was withdrawn, or has passed. Called at the first
   * successful look, even when it is empty, and whenever it changes; an error says nothing, so that what stood stands.
   */
  emit(event: NoticesEvent): void;
}

/** What one source is given. */
export interface SourcePorts extends NoticePorts {
  /** May be called at every look: what repeats the last word of this source goes no further. */
  emit(event: NoticesEvent): void;
  /** One line in the log when the source falls silent and one when it speaks again; counters for `/metrics`. */
  readonly health: SourceHealth;
  /** From 0 up to 1. */
  readonly random: () => number;
}

/** Somebody who may say that this node goes away. */
export interface NoticeSource {
  /** The provider and, where it has several, which of its words: `ec2/spot`, `file`. `source` of its notices. */
  readonly name: string;
  /** Runs until the signal. Never rejects for what the outside does, and may with the signal's own reason. */
  watch(ports: SourcePorts, signal: AbortSignal): Promise<void>;
  /** All that could be saved is saved: whoever sent this notice need not wait for its deadline. */
  approve?(noticeId: string): void;
}
