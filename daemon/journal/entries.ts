import type { Effect } from '../vocabulary/effect.ts';
import type { DaemonEvent } from '../vocabulary/event.ts';
import type { EpochMs } from '../vocabulary/job.ts';
import type { State } from '../vocabulary/state.ts';

/** An effect that is not settled. */
export interface OutboxEntry {
  readonly effect: Effect;
  readonly createdAt: EpochMs;
  /** How often it was begun. */
  readonly attempts: number;
  /** When it was begun for the first time; null: never. */
  readonly startedAt: EpochMs | null;
}

/** One line of what happened, for people. */
export interface HistoryLine {
  readonly seq: number;
  readonly at: EpochMs;
  readonly jobId: number | null;
  readonly run: string | null;
  readonly kind: string;
  readonly message: string;
  readonly details: object;
}

/** One event and what `decide` made of it. */
export interface Commit {
  readonly event: DaemonEvent;
  /** The state that was written last. */
  readonly before: State;
  readonly after: State;
  readonly effects: readonly Effect[];
  /** The id of the effect that the event settles. */
  readonly settled: string | null;
  /** Empty: the event itself is the line, if the commit writes anything. */
  readonly history: readonly Omit<HistoryLine, 'seq'>[];
}
