import { randomUUID } from 'node:crypto';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { mapConcurrent } from '../../../system/async/map-concurrent.ts';
import { StoreError } from '../../store-error.ts';
import { chmod, lstat, readEntries, rename, unlink } from './files.ts';
import { mustBeMine } from './guard.ts';
import { atStore } from './threads.ts';

const AT_ONCE = 8;

/** Past this, a crash while it was written has left it. */
export const TEMPORARY = /^\.tmp-[0-9a-f-]{36}$/;

/** A new file, on disk when this resolves; an existing one is an error (EEXIST). The name is not yet on disk. */
export function writeNew(path: string, text: string): Promise<void> {
  return atStore(async () => {
    const file = await open(path, 'wx', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
  });
}

/** A file that is either as it was or as it shall be, whatever happens meanwhile. */
export async function replace(path: string, text: string): Promise<void> {
  const temporary = join(dirname(path), `.tmp-${randomUUID()}`);
  try {
    await writeNew(temporary, text);
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
  await syncFolder(dirname(path));
}

/** The names in a folder. */
export const syncFolder = (path: string): Promise<void> => sync(path);

function sync(path: string): Promise<void> {
  return atStore(async () => {
    const file = await open(path, 'r');
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  });
}

/**
 * The folder and everything below it on disk and for root alone; the bytes of each file, by its path. Whatever is
 * there has its name already, so that folders need not wait for what is in them: a file system writes several down
 * in one go.
 * @throws StoreError for what is neither a file nor a folder, is another's, or has another name besides.
 */
export async function settleTree(path: string): Promise<ReadonlyMap<string, number>> {
  const below = await readEntries(path, { recursive: true });
  const bytes = new Map<string, number>();
  await mapConcurrent(
    AT_ONCE,
    [path, ...below.map((entry) => join(entry.parentPath, entry.name))],
    async (each) => {
      const there = await lstat(each);
      mustBeMine(there, each);
      const isFolder = there.isDirectory();
      if (!isFolder && (!there.isFile() || there.nlink > 1))
        throw new StoreError(`${each} is not a plain file: not published`);
      const mode = isFolder ? 0o700 : 0o600;
      if ((there.mode & 0o777) !== mode) await chmod(each, mode);
      await sync(each);
      if (!isFolder) bytes.set(each, there.size);
    },
  );
  return bytes;
}
