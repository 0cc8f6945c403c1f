import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Mutex } from '../../../system/async/mutex.ts';
import { codeOf } from '../../store-error.ts';
import { removeAllIn, removeTree, rename, unlink } from './files.ts';
import { ensureFolder } from './guard.ts';
import { MANIFEST, TRASH } from './places.ts';

/** Takes folders out of the store: out of sight by one rename, so that no reader finds half of one. */
export interface Trash {
  /**
   * Resolves when nobody sees it any more; its bytes go afterwards, one folder after the other, since a job may stand
   * frozen while old images of hundreds of gigabytes go. Rejects with the file system's error; ENOENT where it is gone.
   */
  remove(path: string): Promise<void>;
  /** What a crash left in it, or could not be removed. */
  empty(): Promise<void>;
}

/** `ensureNode` makes this node's own folder in the store, and returns its path. */
export function createTrash(ensureNode: () => Promise<string>): Trash {
  const turns = new Mutex();

  async function putAside(path: string): Promise<string> {
    const trash = join(await ensureNode(), TRASH);
    await ensureFolder(trash);
    const aside = join(trash, randomUUID());
    await rename(path, aside);
    return aside;
  }

  return {
    async remove(path) {
      const aside = await putAside(path).catch((error: unknown) => {
        if (isFull(error)) return null;
        throw error;
      });
      if (aside === null) return removeInPlace(path);
      // What stays is taken away by `empty`, which says why where it cannot.
      void turns.with(() => removeTree(aside)).catch(() => undefined);
    },
    async empty() {
      const trash = join(await ensureNode(), TRASH);
      await removeAllIn(trash).catch((error: unknown) => {
        if (codeOf(error) !== 'ENOENT') throw error;
      });
    },
  };
}

/** A full file system may have no room for the trash itself: just then what is of no use has to go. */
async function removeInPlace(path: string): Promise<void> {
  // Without it, a folder is no checkpoint to anybody.
  await unlink(join(path, MANIFEST)).catch((error: unknown) => {
    if (codeOf(error) !== 'ENOENT') throw error;
  });
  await removeTree(path);
}

/** `ensureFolder` may have put it in its own words. */
function isFull(error: unknown): boolean {
  return [error, (error as Error).cause].some((each) => ['ENOSPC', 'EDQUOT'].includes(codeOf(each)));
}
