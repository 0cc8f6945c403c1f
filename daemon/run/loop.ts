/*
 * The daemon's one loop: `decide` handles an event, the journal stores the decision, and only then the effects are
 * performed. All of it is synchronous: one event is finished before the next begins, so state and journal never differ.
 *
 * If the journal cannot be written (a full disk, a read-only folder), the daemon goes on from memory and raises an
 * alarm: restores matter more than a decision that can be replayed.
 */
import { decide } from '../decide/decide.ts';
import { restoreAwaitsConfirmation } from '../decide/evacuation/unconfirmed.ts';
import type { OutboxEntry } from '../journal/entries.ts';
import type { Journal } from '../journal/journal.ts';
import type { Outbox } from '../perform/outbox.ts';
import type { Log } from '../system/ports.ts';
import type { Decision, Note, Reply } from '../vocabulary/decision.ts';
import type { Effect } from '../vocabulary/effect.ts';
import type { DaemonEvent } from '../vocabulary/event.ts';
import type { EpochMs } from '../vocabulary/job.ts';
import type { Policy } from '../vocabulary/policy.ts';
import type { State } from '../vocabulary/state.ts';

export interface Loop {
  readonly state: State;
  policy: Policy;
  /** The last write to the journal failed. */
  readonly journalFailing: boolean;
  /** How many events were handled: it grows while the loop works. */
  readonly turns: number;
  /** Handles one event. Its effects are under way when this returns. */
  handle(event: DaemonEvent): void;
  /** Takes up the effects that an earlier process left unsettled. */
  resume(left: readonly OutboxEntry[]): void;
}

export interface LoopPorts {
  readonly journal: Journal;
  readonly outbox: Outbox;
  readonly log: Log;
  readonly onNote: (note: Note) => void;
  readonly onReply: (reply: Reply) => void;
  /** Makes a `tick` come at that time. */
  readonly wake: (at: EpochMs | null) => void;
  /** After each event. */
  readonly onState?: (state: State) => void;
}

export function createLoop(initial: State, firstPolicy: Policy, ports: LoopPorts): Loop {
  let state = initial;
  let policy = firstPolicy;
  let turns = 0;
  let journalFailing = false;
  /** Restores that an earlier process left, and that wait until Slurm confirms that their nodes go away. */
  const held = new Map<string, OutboxEntry>();

  function letGo(effectId: string): void {
    const entry = held.get(effectId);
    if (entry === undefined) return;
    held.delete(effectId);
    ports.outbox.take(entry.effect, entry.startedAt);
  }

  const isHeld = ({ effect }: OutboxEntry) =>
    effect.kind === 'restore' && restoreAwaitsConfirmation(state, policy, effect.jobId);

  function write(event: DaemonEvent, decision: Decision): readonly Effect[] {
    try {
      const { fresh } = ports.journal.commit({
        event,
        before: state,
        after: decision.state,
        effects: decision.effects,
        settled: event.type === 'settled' ? event.effect.id : null,
        history: decision.notes
          .filter(({ level }) => level !== 'debug')
          .map((n) => line(n, decision.state.clock)),
      });
      if (journalFailing) ports.log.info({}, 'the journal can be written again');
      journalFailing = false;
      return fresh;
    } catch (error) {
      if (!journalFailing) {
        const message = 'the journal cannot be written: a crash now would lose what is decided';
        ports.log.fatal({ err: error }, message);
      }
      journalFailing = true;
      return decision.effects;
    }
  }

  return {
    get state() {
      return state;
    },
    get policy() {
      return policy;
    },
    set policy(next) {
      policy = next;
    },
    get turns() {
      return turns;
    },
    get journalFailing() {
      return journalFailing;
    },
    handle(event) {
      turns++;
      const decision = decide(state, event, policy);
      const fresh = write(event, decision);
      state = decision.state;
      for (const note of decision.notes) ports.onNote(note);
      for (const effect of fresh) ports.outbox.take(effect, null);
      for (const id of decision.recalls) {
        // An earlier process may have sent it: the performer checks that, and then ends it.
        letGo(id);
        ports.outbox.recall(id);
      }
      for (const [id, entry] of held) if (!isHeld(entry)) letGo(id);
      for (const reply of decision.replies) ports.onReply(reply);
      ports.wake(decision.wakeAt);
      ports.onState?.(state);
    },
    resume(left) {
      for (const entry of left) {
        if (isHeld(entry)) held.set(entry.effect.id, entry);
        else ports.outbox.take(entry.effect, entry.startedAt);
      }
    },
  };
}

function line(note: Note, at: EpochMs) {
  const { jobId, run, kind, message, details } = note;
  return { at, jobId, run, kind, message, details };
}
