import {
  accessSync,
  closeSync,
  constants,
  fchmodSync,
  fsyncSync,
  openSync,
  readSync,
  statfsSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { Refused, reasonOf } from './refused.ts';

/** More than this is not copied while a restored job waits: some seconds' worth. Of all files of a job together. */
export const MOST_KEPT = 1024n ** 3n;
const MOST_NAMES = 100;
const CHUNK = Buffer.alloc(1024 * 1024);

/** What can be known beforehand of whether `bytes` of a file can be kept. @throws Refused */
export function mustHaveRoom(path: string, bytes: bigint): void {
  const folder = dirname(path);
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
    const { bavail, bsize } = statfsSync(folder, { bigint: true });
    if (bavail * bsize < bytes) throw new Refused('its file system is full');
  } catch (error) {
    const why = error instanceof Refused ? error.message : reasonOf(error);
    throw new Refused(`${bytes} bytes of ${path} since the checkpoint cannot be kept in ${folder}: ${why}`, {
      cause: error,
    });
  }
}

/**
 * Copies what is in an open file from `size` on to a new one, `beside`, or `beside.1` where that is taken. Nobody can be
 * kept from appending meanwhile, so that `cut` is called at its end. The new file's name. Where it @throws, nothing of
 * it is left.
 */
export function keepBeyond(
  source: number,
  { size, mode }: { readonly size: number; readonly mode: number },
  beside: string,
  cut: () => void,
): string {
  const made = create(beside);
  try {
    // Whoever may read the one may read the other: the bytes may be theirs.
    fchmodSync(made.fd, mode & 0o666);
    const done = copy(source, made.fd, size);
    fsyncSync(made.fd);
    copy(source, made.fd, done);
    cut();
    return made.name;
  } catch (error) {
    unlinkSync(made.name);
    throw error;
  } finally {
    closeSync(made.fd);
  }
}

function create(beside: string): { readonly name: string; readonly fd: number } {
  for (let count = 0; ; count++) {
    const name = count === 0 ? beside : `${beside}.${count}`;
    try {
      return { name, fd: openSync(name, 'wx', 0o600) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || count === MOST_NAMES) throw error;
    }
  }
}

/** From `at` to the end; where that was. */
function copy(source: number, target: number, at: number): number {
  let done = at;
  for (let count = readSync(source, CHUNK, 0, CHUNK.length, done); count > 0; ) {
    for (let wrote = 0; wrote < count; ) wrote += writeSync(target, CHUNK, wrote, count - wrote);
    done += count;
    count = readSync(source, CHUNK, 0, CHUNK.length, done);
  }
  return done;
}
