import type { Effect } from './effect.ts';
import type { EpochMs, JobId, RunKey } from './job.ts';
import type { State } from './state.ts';

/** What follows from an event. */
export interface Decision {
  readonly state: State;
  /** To be performed once they are in the journal. */
  readonly effects: readonly Effect[];
  /** Ids of effects to be taken back, where that is still possible; each settles as `recalled` if it was. */
  readonly recalls: readonly string[];
  /** What people are told: log, history and counters. */
  readonly notes: readonly Note[];
  /** Answers for the socket's clients. */
  readonly replies: readonly Reply[];
  /** When a `tick` is wanted next; null for never. */
  readonly wakeAt: EpochMs | null;
}

export interface Note {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly kind: NoteKind;
  readonly jobId: JobId | null;
  readonly run: RunKey | null;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** The counters of `/metrics` and the kinds of history lines. */
export type NoteKind =
  | 'run-seen'
  | 'run-ended'
  | 'checkpoint-accepted'
  | 'heartbeat-dropped'
  | 'checkpoint-ready'
  | 'checkpoint-failed'
  | 'not-checkpointable'
  | 'node-away'
  | 'node-back'
  | 'plan-made'
  | 'plan-changed'
  | 'plan-dropped'
  | 'restore-sent'
  | 'restored'
  | 'source-ended'
  | 'guard-failed'
  | 'source-remains'
  | 'job-in-danger'
  | 'job-lost'
  | 'notice'
  | 'notice-withdrawn'
  | 'node-drained'
  | 'node-undrained'
  | 'drain-failed'
  | 'dry-run';

export type Reply =
  | { readonly requestId: string; readonly ok: true; readonly actionId: string | null }
  /** A notice was taken, or taken back. */
  | { readonly requestId: string; readonly ok: true; readonly noticeId: string; readonly created: boolean }
  | { readonly requestId: string; readonly ok: false; readonly status: number; readonly message: string };
