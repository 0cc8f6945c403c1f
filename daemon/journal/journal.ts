import { join } from 'node:path';
import type { Log } from '../system/ports.ts';
import type { Effect } from '../vocabulary/effect.ts';
import type { EpochMs } from '../vocabulary/job.ts';
import type { Commit, HistoryLine } from './entries.ts';
import { JournalError } from './journal-error.ts';
import { type Loaded, loadAll } from './load.ts';
import { isBadFile, openDatabase, setAside } from './open-database.ts';
import { deleteOld } from './retention.ts';
import { reasonOf } from './sqlite-error.ts';
import { prepareTables, readHistory, transaction, writeAll } from './tables.ts';
import { joined, type Unwritten, unwrittenOf } from './unwritten.ts';

/**
 * The daemon's memory over crashes: current state, outbox and a bounded history in one SQLite file. What a method
 * wrote is on the disk when it returns (WAL, synchronous=FULL), and none of it is after a crash before that. One
 * process has the file; nothing here is asynchronous.
 */
export interface Journal {
  /** What was there at the start. Unreadable rows are logged and dropped, a corrupt file is set aside: never throws for those. */
  load(): Loaded;
  /**
   * Writes the records whose reference changed, the new effects, the settled ones and the history, all or nothing;
   * nothing at all when nothing but the clock moved (a Prolog, an Epilog and a request by hand always leave a line).
   * `fresh`: the effects to be performed now. One whose id was seen before, settled or not, is not among them.
   *
   * Throws JournalError `write`. The refused difference is kept in memory and goes along with the next commit: the
   * caller goes on from `after` and gives nothing twice. Whether to perform the effects of a refused commit is the
   * caller's choice; they are never `fresh` later.
   */
  commit(commit: Commit): { readonly fresh: Effect[] };
  /**
   * The mark that must be there before an effect is performed. Throws JournalError `not-in-outbox` (it is settled,
   * or was never written: do not perform it) or `write` (the mark goes along with the next commit; whether to perform it
   * without is the caller's choice).
   */
  started(effectId: string, at: EpochMs): void;
  /** The newest `limit` lines, the oldest of them first. */
  history(query: { readonly jobId?: number; readonly limit: number }): HistoryLine[];
  /** Deletes old history and settled effects; throws JournalError `write`. */
  prune(now: EpochMs): void;
  close(): void;
}

/** Opens `<dir>/journal.db`; throws JournalError `newer`, `locked` or `unusable`. */
export function openJournal({ dir, log, now }: { dir: string; log: Log; now: EpochMs }): Journal {
  const options = { path: join(dir, 'journal.db'), log, now };
  let tables = prepareTables(openDatabase(options));
  /** What the disk refused so far. */
  let refused: Unwritten | null = null;

  const write = <T>(what: () => T): T => {
    try {
      return transaction(tables.db, what);
    } catch (error) {
      throw new JournalError('write', `cannot write ${options.path}: ${reasonOf(error)}`, { cause: error });
    }
  };

  return {
    load() {
      try {
        return loadAll(tables.db, log);
      } catch (error) {
        if (!isBadFile(error)) throw error;
        tables.db.close();
        setAside(options, reasonOf(error));
        tables = prepareTables(openDatabase(options));
        return loadAll(tables.db, log);
      }
    },

    commit(commit) {
      const own = unwrittenOf(commit);
      const all = refused === null ? own : joined(refused, own);
      if (all === null) return { fresh: [] };
      const decidedBefore = new Set(refused?.effects.map(({ effect }) => effect.id));
      refused = all;
      const added = write(() => writeAll(tables, all));
      refused = null;
      return { fresh: commit.effects.filter(({ id }) => added.delete(id) && !decidedBefore.has(id)) };
    },

    started(effectId, at) {
      const mark = { id: effectId, at };
      const waits = refused?.effects.some(({ effect }) => effect.id === effectId) ?? false;
      try {
        const { changes } = write(() => tables.startEffect.run(at, effectId));
        if (changes === 1) return;
      } catch (error) {
        if (refused !== null) refused = { ...refused, starts: [...refused.starts, mark] };
        throw error;
      }
      if (refused === null || !waits) {
        throw new JournalError(
          'not-in-outbox',
          `effect ${effectId} is not in the outbox: not to be performed`,
        );
      }
      refused = { ...refused, starts: [...refused.starts, mark] };
      throw new JournalError(
        'write',
        `effect ${effectId} is not in ${options.path} yet: an earlier write was refused`,
      );
    },

    history({ jobId, limit }) {
      return readHistory(tables, jobId, limit);
    },

    prune(at) {
      write(() => deleteOld(tables.db, at));
    },

    close() {
      if (tables.db.isOpen) tables.db.close();
    },
  };
}
