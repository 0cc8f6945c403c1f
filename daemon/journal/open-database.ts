import { chmodSync, closeSync, existsSync, openSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Log } from '../system/ports.ts';
import type { EpochMs } from '../vocabulary/job.ts';
import { JournalError } from './journal-error.ts';
import { migrate } from './migrations.ts';
import { isBusy, isCorrupt, reasonOf } from './sqlite-error.ts';

/** Thrown where the file opens but is not what it should be. */
class CorruptFile extends Error {}

export interface OpenOptions {
  readonly path: string;
  readonly log: Log;
  readonly now: EpochMs;
}

/**
 * Opens the journal's file, locked for this process alone, checked and up to date. A corrupt file is set aside and
 * a new one begun. Throws JournalError `newer`, `locked` or `unusable`.
 */
export function openDatabase(options: OpenOptions): DatabaseSync {
  try {
    return openOnce(options);
  } catch (error) {
    if (!isBadFile(error)) throw asJournalError(error, options.path);
    setAside(options, reasonOf(error));
  }
  try {
    return openOnce(options);
  } catch (error) {
    throw asJournalError(error, options.path);
  }
}

export function isBadFile(error: unknown): boolean {
  return error instanceof CorruptFile || isCorrupt(error);
}

/** Renames the file and its WAL, so that `sqlite3 FILE .recover` still has all that there is; says so. */
export function setAside({ path, log, now }: OpenOptions, reason: string): void {
  const aside = `${path}.corrupt-${new Date(now).toISOString().replaceAll(':', '')}`;
  try {
    for (const suffix of ['-wal', '-shm', '']) {
      if (existsSync(path + suffix)) renameSync(path + suffix, aside + suffix);
    }
  } catch (error) {
    throw new JournalError(
      'unusable',
      `${path} is corrupt (${reason}) and cannot be set aside: ${reasonOf(error)}`,
      {
        cause: error,
      },
    );
  }
  log.error(
    { path, aside, reason },
    `journal ${path} is corrupt (${reason}): set aside as ${aside}, starting with an empty one; ` +
      'checkpoints and restores that were under way are not remembered',
  );
}

function openOnce({ path, now }: OpenOptions): DatabaseSync {
  // SQLite would create it by the umask; its WAL takes over the mode of this file.
  closeSync(openSync(path, 'a', 0o600));
  chmodSync(path, 0o600);
  const db = new DatabaseSync(path, { timeout: 0 });
  try {
    // Before the first access, so that WAL keeps its index in memory and the lock is held until close: a second
    // daemon gets SQLITE_BUSY.
    db.exec('PRAGMA locking_mode = EXCLUSIVE');
    // WAL with FULL syncs once a commit; DELETE would sync three times for the same durability.
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
    // The WAL's size is about 1 MB, the page cache's half of one: the daemon's memory counts more than reads.
    db.exec('PRAGMA wal_autocheckpoint = 256; PRAGMA journal_size_limit = 1048576; PRAGMA cache_size = -512');
    const check = db.prepare('PRAGMA quick_check(1)').get() as { quick_check: string };
    if (check.quick_check !== 'ok') throw new CorruptFile(check.quick_check);
    migrate(db, path);
    // A write at once: a full or read-only disk is an error at the start, not at the first job. Together with the
    // statements' names it also shows that the tables are ours.
    const opened =
      "INSERT INTO meta VALUES ('openedAt', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    db.prepare(opened).run(JSON.stringify(now));
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function asJournalError(error: unknown, path: string): JournalError {
  if (error instanceof JournalError) return error;
  const cause = { cause: error };
  if (isBusy(error)) {
    const message = `${path} is in use by another process: does a second ckptd run with this state_dir?`;
    return new JournalError('locked', message, cause);
  }
  return new JournalError(
    'unusable',
    `cannot use ${path} (state_dir ${dirname(path)}): ${reasonOf(error)}`,
    cause,
  );
}
