import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Turns } from '../../system/turns.ts';
import { removeAllIn, removeTree, rename } from './files.ts';
import { ensureFolder } from './guard.ts';
import { TRASH } from './places.ts';
import { codeOf } from './store-error.ts';

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
  const turns = new Turns();
  return {
    async remove(path) {
      const trash = join(await ensureNode(), TRASH);
      await ensureFolder(trash);
      const aside = join(trash, randomUUID());
      await rename(path, aside);
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
