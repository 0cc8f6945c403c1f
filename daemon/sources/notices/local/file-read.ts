import { constants, type Stats } from 'node:fs';
import { lstat, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/** What is at the file's path. */
export type FileState =
  | { readonly type: 'absent' }
  /** `stamp` changes with every write. */
  | { readonly type: 'there'; readonly text: string | null; readonly stamp: string }
  /** Others than root could have made it: it is not trusted. */
  | { readonly type: 'forged'; readonly why: string }
  | { readonly type: 'failed'; readonly problem: string };

const MOST_BYTES = 4096;
const OTHERS_WRITE = 0o002;
const GROUP_WRITES = 0o020;
const STICKY = 0o1000;

/**
 * Reads the file that announces a termination. Making it moves every job of the node, so it counts only if root (or
 * the daemon's own user) alone can have made it, in a folder where nobody else can put a file: no link, no pipe,
 * nothing that others can write. `text` is null if it is longer than any such file.
 */
export async function readFileState(path: string): Promise<FileState> {
  try {
    const folder = ownership(await ifThere(stat(dirname(path))));
    const file = await ifThere(lstat(path));
    if (file === null) return { type: 'absent' };
    const forged = notPlain(file) ?? ownership(file) ?? (folder === null ? null : `its folder ${folder}`);
    if (forged !== null) return { type: 'forged', why: forged };
    return await readPlain(path);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return { type: 'absent' };
    return { type: 'failed', problem: (error as Error).message };
  }
}

async function readPlain(path: string): Promise<FileState> {
  // The file may have been replaced since, so the open file is checked again. O_NONBLOCK: a pipe would block us.
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stats = await handle.stat();
    const forged = notPlain(stats) ?? ownership(stats);
    if (forged !== null) return { type: 'forged', why: forged };
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(MOST_BYTES + 1), 0, MOST_BYTES + 1, 0);
    const text = bytesRead > MOST_BYTES ? null : buffer.toString('utf8', 0, bytesRead);
    return { type: 'there', text, stamp: `${stats.ino} ${stats.size} ${stats.mtimeMs}` };
  } finally {
    await handle.close();
  }
}

async function ifThere(stats: Promise<Stats>): Promise<Stats | null> {
  try {
    return await stats;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null;
    throw error;
  }
}

function notPlain(stats: Stats): string | null {
  if (!stats.isFile()) return 'is no plain file';
  return stats.nlink > 1 ? 'has another name, as a hard link' : null;
}

/** Why others than root may write here; null if they may not. A sticky folder protects the files in it. */
function ownership(stats: Stats | null): string | null {
  if (stats === null) return null;
  const { uid, gid, mode } = stats;
  if (uid !== 0 && uid !== process.geteuid?.()) return `belongs to user ${uid}, not to root`;
  if (stats.isDirectory() && (mode & STICKY) !== 0) return null;
  if ((mode & OTHERS_WRITE) !== 0) return 'can be written by everybody';
  return (mode & GROUP_WRITES) !== 0 && gid !== 0 ? `can be written by group ${gid}` : null;
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
