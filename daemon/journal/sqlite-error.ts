/**
 * SQLite's primary result code of an error that `node:sqlite` threw, or null for any other error. `errcode` holds
 * the extended code; its low byte is the primary one (https://sqlite.org/rescode.html).
 */
function primaryCode(error: unknown): number | null {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return null;
  return error.errcode & 0xff;
}

const SQLITE_ERROR = 1;
const SQLITE_BUSY = 5;
const SQLITE_IOERR = 10;
const SQLITE_CORRUPT = 11;
const SQLITE_SCHEMA = 17;
const SQLITE_NOTADB = 26;
const SQLITE_IOERR_SHORT_READ = 522;

export function isBusy(error: unknown): boolean {
  return primaryCode(error) === SQLITE_BUSY;
}

/** Whether the file itself is bad, so that no retry helps. SQLITE_ERROR: our tables are not the ones in it. */
export function isCorrupt(error: unknown): boolean {
  const code = primaryCode(error);
  if (code === SQLITE_IOERR) return (error as { errcode?: number }).errcode === SQLITE_IOERR_SHORT_READ;
  return code === SQLITE_CORRUPT || code === SQLITE_NOTADB || code === SQLITE_ERROR || code === SQLITE_SCHEMA;
}

/** The error's own words, for a message: `database or disk is full`. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
