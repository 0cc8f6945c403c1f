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
   * The complete list of a source's active notices: one that is missing was withdrawn, or has passed. Called after the
   * first successful poll, even when it is empty, and whenever the list changes. After an error the old list stays.
   */
  emit(event: NoticesEvent): void;
}

/** What one source is given. */
export interface SourcePorts extends NoticePorts {
  /** May be called after every poll: an unchanged list is not passed on. */
  emit(event: NoticesEvent): void;
  /** Logs when the source stops to answer and when it answers again; counters for `/metrics`. */
  readonly health: SourceHealth;
  /** From 0 up to 1. */
  readonly random: () => number;
}

/** A source of notices that this node goes away. */
export interface NoticeSource {
  /** The provider, and which of its sources if it has several: `ec2/spot`, `file`. `source` of its notices. */
  readonly name: string;
  /** Runs until the signal, and may reject with its reason. Never rejects for an error of the outside world. */
  watch(ports: SourcePorts, signal: AbortSignal): Promise<void>;
  /** All jobs are saved: the sender of this notice need not wait for its deadline. */
  approve?(noticeId: string): void;
}
