import { dirname } from 'node:path';
import { asStoreError, codeOf, StoreError } from '../../store-error.ts';
import { lstat, mkdir, realpath, stat } from './files.ts';

/** root, outside of tests. */
const me = (): number => process.geteuid?.() ?? 0;

/**
 * The folder that the admin made. It is not made here: where the shared file system is not mounted, checkpoints
 * would go to the node's own disk, and no other node would ever find them.
 *
 * @throws StoreError unless it and all above it are in root's hands alone.
 */
export async function guardStore(dir: string): Promise<void> {
  try {
    const there = await lstat(dir).catch((error: unknown) => {
      if (codeOf(error) !== 'ENOENT') throw error;
      throw new StoreError(`the store ${dir} is not there: mount it, or make it with mkdir -m 700`);
    });
    if (!there.isDirectory()) throw new StoreError(`the store ${dir} is not a folder${linkHint(there)}`);
    mustBeMine(there, dir);
    if ((there.mode & 0o022) !== 0)
      throw new StoreError(`the store ${dir} is writable by others: chmod 700 it`);
    let above = await realpath(dirname(dir));
    for (;;) {
      const { uid, gid, mode } = await stat(above);
      const sticky = (mode & 0o1000) !== 0;
      const others = (mode & 0o002) !== 0 || ((mode & 0o020) !== 0 && gid !== 0);
      if ((uid !== 0 && uid !== me()) || (others && !sticky)) {
        throw new StoreError(`the store ${dir} is not safe: others than root can rename what is in ${above}`);
      }
      if (above === '/') return;
      above = dirname(above);
    }
  } catch (error) {
    throw asStoreError(error, 'cannot look at the store', dir);
  }
}

/** Whether the folder is there. @throws StoreError where it is something else, or not root's own and private. */
export async function guardFolder(path: string): Promise<boolean> {
  try {
    const there = await lstat(path);
    if (!there.isDirectory()) throw new StoreError(`${path} is not a folder${linkHint(there)}: refused`);
    mustBeMine(there, path);
    if ((there.mode & 0o077) !== 0) {
      throw new StoreError(
        `${path} can be entered by others (mode ${(there.mode & 0o777).toString(8)}): refused`,
      );
    }
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw asStoreError(error, 'cannot look at', path);
  }
}

/** Makes the folder if it is missing. @throws StoreError as `guardFolder`. */
export async function ensureFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw asStoreError(error, 'cannot make', path);
  }
  if (!(await guardFolder(path))) throw new StoreError(`${path} vanished while it was made`);
}

/** @throws StoreError unless `there` belongs to the engine's own user. */
export function mustBeMine(there: { readonly uid: number }, path: string): void {
  if (there.uid === me()) return;
  const hint = there.uid >= 65_534 ? ' (an NFS export needs no_root_squash)' : '';
  throw new StoreError(`${path} belongs to uid ${there.uid}, not to ${me()}: refused${hint}`);
}

function linkHint(there: { isSymbolicLink(): boolean }): string {
  return there.isSymbolicLink() ? ' but a symbolic link' : '';
}
