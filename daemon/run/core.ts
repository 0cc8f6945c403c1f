import type { Config } from '../config/config.ts';
import { policyOf } from '../config/policy.ts';
import { EMPTY_STATE } from '../decide/decide.ts';
import { takenOver } from '../decide/evacuation/unconfirmed.ts';
import { type Journal, openJournal } from '../journal/journal.ts';
import { createOutbox, type Outbox } from '../perform/outbox.ts';
import type { Clock, Log } from '../system/ports.ts';
import type { Note, NoteKind } from '../vocabulary/decision.ts';
import type { EpochMs, Millis } from '../vocabulary/job.ts';
import type { State } from '../vocabulary/state.ts';
import { createAlarmClock } from './alarm-clock.ts';
import { Clients } from './clients.ts';
import { createLoop, type Loop } from './loop.ts';
import { createRequests, type Requests } from './requests.ts';

const PRUNE_EVERY_MS: Millis = 3_600_000;

/** What survives a reload: the journal, the loop, and the effects under way. */
export interface Core {
  readonly loop: Loop;
  readonly journal: Journal;
  readonly outbox: Outbox;
  readonly clients: Clients;
  readonly requests: Requests;
  /** How often each kind of note was made, since the process started. */
  readonly notes: ReadonlyMap<NoteKind, number>;
  /** Called with the state after every event. */
  readonly watchers: Set<(state: State) => void>;
}

export interface CorePorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  readonly resources: AsyncDisposableStack;
}

/**
 * Opens the journal, replays it and takes up the effects that an earlier process left unsettled.
 *
 * @throws JournalError when the state folder cannot be used.
 */
export function startCore(config: Config, { clock, log, env, signal, resources }: CorePorts): Core {
  const journal = openJournal({ dir: config.stateDir, log, now: clock.now() });
  resources.defer(() => journal.close());
  const loaded = journal.load();
  const requests = createRequests();
  const notes = new Map<NoteKind, number>();
  const watchers = new Set<(state: State) => void>();
  const clients = new Clients(config, { clock, log, env, state: () => loop.state });
  resources.defer(() => clients.close());
  const outbox = createOutbox({
    // A reload makes other clients: each call takes the newest.
    get api() {
      return clients.api;
    },
    get slurm() {
      return clients.slurm;
    },
    clusterId: config.clusterId,
    clock,
    log,
    random: Math.random,
    emit: (event) => loop.handle(event),
    signal,
    markSent: (effectId, at) => markSent(journal, log, effectId, at),
  });
  resources.defer(() => outbox.drained());
  const alarm = createAlarmClock(clock, () => loop.handle({ type: 'tick', at: clock.now() }));
  resources.use(alarm);
  const loop = createLoop(takenOver(loaded.state ?? EMPTY_STATE, clock.now()), policyOf(config), {
    journal,
    outbox,
    log,
    onNote(note) {
      notes.set(note.kind, (notes.get(note.kind) ?? 0) + 1);
      logNote(log, note);
    },
    onReply: requests.answer,
    wake: alarm.set,
    onState: (state) => {
      for (const watch of watchers) watch(state);
    },
  });
  // First the effects that were left. So `started` can recall them, and its own effects for a job come after them.
  loop.resume(loaded.outbox);
  loop.handle({ type: 'started', at: clock.now() });
  const pruning = setInterval(() => prune(journal, log, clock.now()), PRUNE_EVERY_MS);
  resources.defer(() => clearInterval(pruning));
  return { loop, journal, outbox, clients, requests, notes, watchers };
}

/** Without the mark a crash could repeat this effect. Without the effect a job could be lost, so it goes on. */
function markSent(journal: Journal, log: Log, effectId: string, at: EpochMs): void {
  try {
    journal.started(effectId, at);
  } catch (error) {
    log.fatal(
      { err: error, effect: effectId },
      'the journal cannot be written: the effect goes on without it',
    );
  }
}

function prune(journal: Journal, log: Log, now: EpochMs): void {
  try {
    journal.prune(now);
  } catch (error) {
    log.error({ err: error }, 'the journal could not be pruned');
  }
}

function logNote(log: Log, note: Note): void {
  const { level, kind, jobId, run, message, details } = note;
  log[level]({ event: kind, ...(jobId === null ? {} : { job_id: jobId, run }), ...details }, message);
}
