import type { DatabaseSync } from 'node:sqlite';
import { JournalError } from './journal-error.ts';

/**
 * The tables, one step after another; the file's `user_version` counts the steps that it has had. A released step
 * is never edited: a change is a new step. Times are epoch milliseconds; REAL, so that a fraction is no error
 * (SQLite keeps whole ones as integers on the disk).
 */
const MIGRATIONS: readonly string[] = [
  `CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
   CREATE TABLE job (job_id INTEGER PRIMARY KEY, record TEXT NOT NULL) STRICT;
   CREATE TABLE node (node TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT, WITHOUT ROWID;
   CREATE TABLE effect (
     seq INTEGER PRIMARY KEY AUTOINCREMENT,
     id TEXT NOT NULL UNIQUE,
     effect TEXT NOT NULL,
     created_at REAL NOT NULL,
     attempts INTEGER NOT NULL DEFAULT 0,
     started_at REAL,
     settled_at REAL,
     outcome TEXT
   ) STRICT;
   CREATE INDEX effect_unsettled ON effect (seq) WHERE settled_at IS NULL;
   CREATE INDEX effect_settled ON effect (settled_at) WHERE settled_at IS NOT NULL;
   CREATE TABLE history (
     seq INTEGER PRIMARY KEY AUTOINCREMENT,
     at REAL NOT NULL,
     job_id INTEGER,
     run TEXT,
     kind TEXT NOT NULL,
     message TEXT NOT NULL,
     details TEXT NOT NULL
   ) STRICT;
   CREATE INDEX history_job ON history (job_id, seq);`,
  // Termination notices. The drain that they led to is one record, and stands in `meta`.
  `CREATE TABLE notice (id TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT, WITHOUT ROWID;`,
];

export const NEWEST_VERSION = MIGRATIONS.length;

/** Brings the tables up to date in one transaction; JournalError `newer` when the file is ahead of this program. */
export function migrate(db: DatabaseSync, path: string): void {
  const version = (db.prepare('PRAGMA user_version').get() as { user_version: number }).user_version;
  if (version > NEWEST_VERSION) {
    throw new JournalError(
      'newer',
      `${path} was written by a newer ckptd (format ${version}, this one knows up to ${NEWEST_VERSION}): ` +
        'install that version again, or move the file away to start with an empty journal',
    );
  }
  if (version === NEWEST_VERSION) return;
  db.exec('BEGIN IMMEDIATE');
  for (const step of MIGRATIONS.slice(version)) db.exec(step);
  db.exec(`PRAGMA user_version = ${NEWEST_VERSION}`);
  db.exec('COMMIT');
}
