import { type FSWatcher, statSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';

/**
 * Watches a path whose file need not exist, by an inotify watch on its folder. Without such a watch (no such folder,
 * no more watches) no change is reported until `renew` succeeds.
 */
export class FileChanges implements Disposable {
  readonly #path: string;
  readonly #onChange: () => void;
  #watcher: FSWatcher | null = null;
  #folder: string | null = null;

  constructor(path: string, onChange: () => void) {
    this.#path = path;
    this.#onChange = onChange;
  }

  /** Call it now and then: the folder may have been made or replaced. @returns why there is no watch, or null. */
  renew(): string | null {
    const folder = dirname(this.#path);
    try {
      // A replaced folder often gets the inode number of the one before.
      const { dev, ino, birthtimeMs } = statSync(folder);
      const identity = `${dev} ${ino} ${birthtimeMs}`;
      if (this.#watcher !== null && this.#folder === identity) return null;
      this[Symbol.dispose]();
      this.#watcher = watch(folder, { persistent: false }, (_, name) => {
        // The folder itself was removed or renamed: this watch is over.
        if (name === basename(folder)) this[Symbol.dispose]();
        if (name === null || name === basename(this.#path) || this.#watcher === null) this.#onChange();
      });
      this.#watcher.on('error', () => this[Symbol.dispose]());
      this.#folder = identity;
      return null;
    } catch (error) {
      this[Symbol.dispose]();
      return (error as Error).message;
    }
  }

  [Symbol.dispose](): void {
    this.#watcher?.close();
    this.#watcher = null;
  }
}
