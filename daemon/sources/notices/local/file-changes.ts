import { type FSWatcher, statSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';

/**
 * Tells of changes at a path whose file need not be there: the kernel is asked about the folder. Where it cannot be
 * (no such folder, no more inotify watches) nothing is told, until `renew` succeeds.
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

  /** To be called now and then: the folder may have been made, or made anew. @returns why nothing is watched, or null. */
  renew(): string | null {
    const folder = dirname(this.#path);
    try {
      // A folder that is made anew often gets the number of the one before.
      const { dev, ino, birthtimeMs } = statSync(folder);
      const identity = `${dev} ${ino} ${birthtimeMs}`;
      if (this.#watcher !== null && this.#folder === identity) return null;
      this[Symbol.dispose]();
      this.#watcher = watch(folder, { persistent: false }, (_, name) => {
        // Of the folder itself, when it is removed or renamed: this watch is over.
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
