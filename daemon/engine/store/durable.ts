import { randomUUID } from 'node:crypto';
import { chmod, lstat, open, readdir, rename, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { mustBeMine } from './guard.ts';
import { StoreError } from './store-error.ts';

/** Past this, a crash while it was written has left it. */
export const TEMPORARY = /^\.tmp-[0-9a-f-]{36}$/;

/** A new file, on disk when this resolves; an existing one is an error (EEXIST). The name is not yet on disk. */
export async function writeNew(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
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
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/**
 * Everything below the folder on disk and for root alone.
 * @throws StoreError for what is neither a file nor a folder, is another's, or has another name besides.
 */
export async function settleTree(path: string): Promise<void> {
  for (const entry of await readdir(path)) {
    const each = join(path, entry);
    const there = await lstat(each);
    mustBeMine(there, each);
    if (there.isDirectory()) {
      await settleTree(each);
      continue;
    }
    if (!there.isFile() || there.nlink > 1)
      throw new StoreError(`${each} is not a plain file: not published`);
    if ((there.mode & 0o777) !== 0o600) await chmod(each, 0o600);
    const file = await open(each, 'r');
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  }
  await chmod(path, 0o700);
  await syncFolder(path);
}
