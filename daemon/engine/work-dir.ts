import { chmodSync, closeSync, lstatSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

const SQLITE_BUSY = 5;

/** The engine cannot start here; the message is for an admin. */
export class WorkDirError extends Error {
  override readonly name = 'WorkDirError';
}

/**
 * Makes a folder of the engine's own on this node: root's, and writable by nobody else. Images pass through it.
 * @throws WorkDirError
 */
export function ownFolder(path: string, mode: number): void {
  try {
    mkdirSync(path, { recursive: true, mode });
    const there = lstatSync(path);
    const me = process.geteuid?.() ?? 0;
    if (!there.isDirectory()) throw new WorkDirError(`${path} is not a folder, or a link to one`);
    if (there.uid !== me) throw new WorkDirError(`${path} belongs to uid ${there.uid}, not to ${me}`);
    if ((there.mode & 0o022) !== 0) throw new WorkDirError(`${path} is writable by others: chmod 700 it`);
    if ((there.mode & 0o777 & ~mode) !== 0) chmodSync(path, mode);
  } catch (error) {
    if (error instanceof WorkDirError) throw error;
    throw new WorkDirError(`${path} cannot be used: ${(error as Error).message}`, { cause: error });
  }
}

/**
 * Holds a folder for this process alone, until it is disposed of or the process is gone, however it went: SQLite's
 * lock is the kernel's. Node has no flock of its own.
 * @throws WorkDirError when another engine holds it.
 */
export function lockFolder(folder: string): Disposable {
  const path = join(folder, 'lock');
  let db: DatabaseSync | undefined;
  try {
    closeSync(openSync(path, 'a', 0o600));
    db = new DatabaseSync(path, { timeout: 0 });
    // Exclusive mode keeps the lock past the transaction.
    db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE; COMMIT');
  } catch (error) {
    db?.close();
    const { errcode = 0, message } = error as Error & { errcode?: number };
    const why = (errcode & 0xff) === SQLITE_BUSY ? `another ckptd-engine runs with ${folder}` : message;
    throw new WorkDirError(`${path} cannot be locked: ${why}`, { cause: error });
  }
  const held = db;
  return { [Symbol.dispose]: () => held.close() };
}
