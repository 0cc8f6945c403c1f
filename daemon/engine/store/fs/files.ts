/* What the store uses of `node:fs/promises`, each call in its turn (threads.ts). Rejects with the file system's error. */
import type { Dirent, Stats } from 'node:fs';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from '../../store-error.ts';
import { atStore } from './threads.ts';

interface Creating {
  readonly mode: number;
}

export const lstat = (path: string): Promise<Stats> => atStore(() => fs.lstat(path));
export const stat = (path: string): Promise<Stats> => atStore(() => fs.stat(path));
export const realpath = (path: string): Promise<string> => atStore(() => fs.realpath(path));
export const readdir = (path: string): Promise<string[]> => atStore(() => fs.readdir(path));
export const readEntries = (path: string, options: { readonly recursive: boolean }): Promise<Dirent[]> =>
  atStore(() => fs.readdir(path, { ...options, withFileTypes: true }));
export const mkdir = (path: string, { mode }: Creating): Promise<void> =>
  atStore(async () => void (await fs.mkdir(path, { mode })));
export const rmdir = (path: string): Promise<void> => atStore(() => fs.rmdir(path));
export const rename = (from: string, to: string): Promise<void> => atStore(() => fs.rename(from, to));
export const unlink = (path: string): Promise<void> => atStore(() => fs.unlink(path));
export const chmod = (path: string, mode: number): Promise<void> => atStore(() => fs.chmod(path, mode));
export const utimes = (path: string, atime: number, mtime: number): Promise<void> =>
  atStore(() => fs.utimes(path, atime, mtime));
export const writeFile = (path: string, text: string, options: Creating & { readonly flag: string }) =>
  atStore(() => fs.writeFile(path, text, options));

/** A folder with all that is in it, as `rm -r`. One call at a time: Node's own `rm` asks for all that is below at once. */
export async function removeTree(folder: string): Promise<void> {
  await removeAllIn(folder);
  await rmdir(folder);
}

/** Somebody else may be removing it too. */
export async function removeAllIn(folder: string): Promise<void> {
  for (const entry of await readEntries(folder, { recursive: false })) {
    const path = join(folder, entry.name);
    await (entry.isDirectory() ? removeTree(path) : unlink(path)).catch((error: unknown) => {
      if (codeOf(error) !== 'ENOENT') throw error;
    });
  }
}
