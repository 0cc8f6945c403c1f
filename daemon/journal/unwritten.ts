import type { Effect } from '../vocabulary/effect.ts';
import type { EpochMs } from '../vocabulary/job.ts';
import type { State } from '../vocabulary/state.ts';
import { eventLine, mustBeOnRecord, type NewLine } from './audit.ts';
import type { Commit } from './entries.ts';

/** What one transaction writes: a commit, or several that the disk would not take and the one after them. */
export interface Unwritten {
  readonly before: State;
  readonly after: State;
  readonly at: EpochMs;
  readonly effects: readonly { readonly effect: Effect; readonly at: EpochMs }[];
  readonly starts: readonly { readonly id: string; readonly at: EpochMs }[];
  readonly settlements: readonly { readonly id: string; readonly at: EpochMs; readonly outcome: object }[];
  readonly lines: readonly NewLine[];
}

/** History that waits for a disk that stays full for days is cut; state, effects and settlements never are. */
const MAX_WAITING_LINES = 1_000;

/** What this commit has to write, or null when it would change nothing. */
export function unwrittenOf({ event, before, after, effects, settled, history }: Commit): Unwritten | null {
  const { at } = event;
  const told = event.type === 'settled' && event.effect.id === settled;
  const outcome = told ? event.outcome : { type: 'unknown' };
  const settlements = settled === null ? [] : [{ id: settled, at, outcome }];
  const changes =
    effects.length > 0 ||
    settlements.length > 0 ||
    history.length > 0 ||
    differs(before.jobs, after.jobs) ||
    differs(before.nodes, after.nodes) ||
    differs(before.notices, after.notices) ||
    before.ownDrain !== after.ownDrain;
  if (!changes && !mustBeOnRecord(event)) return null;
  const lines = history.length > 0 ? history : [eventLine(event)];
  return {
    before,
    after,
    at,
    effects: effects.map((effect) => ({ effect, at })),
    starts: [],
    settlements,
    lines,
  };
}

/** Both in one: the whole difference since the last state that is on the disk. */
export function joined(older: Unwritten, newer: Unwritten | null): Unwritten {
  if (newer === null) return older;
  return {
    before: older.before,
    after: newer.after,
    at: newer.at,
    effects: [...older.effects, ...newer.effects],
    starts: [...older.starts, ...newer.starts],
    settlements: [...older.settlements, ...newer.settlements],
    lines: [...older.lines, ...newer.lines].slice(-MAX_WAITING_LINES),
  };
}

/** The keys whose record is another one than before, and those that are gone. */
export function difference<K, V>(
  before: ReadonlyMap<K, V>,
  after: ReadonlyMap<K, V>,
): { put: [K, V][]; gone: K[] } {
  return {
    put: [...after].filter(([key, record]) => before.get(key) !== record),
    gone: [...before.keys()].filter((key) => !after.has(key)),
  };
}

function differs<K, V>(before: ReadonlyMap<K, V>, after: ReadonlyMap<K, V>): boolean {
  if (before === after) return false;
  const { put, gone } = difference(before, after);
  return put.length + gone.length > 0;
}
