import { type BigIntStats, closeSync, constants, fstatSync, lstatSync, openSync } from 'node:fs';
import { Refused, reasonOf } from './refused.ts';

/** Neither waits for the other end of a FIFO, nor follows a link, nor makes a terminal this process' own. */
const CAREFUL = constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;

/** Opens a regular file, hands it to `use`, closes it. Whatever else is there is refused. */
export function withFile<T>(path: string, flags: number, use: (fd: number, stats: BigIntStats) => T): T {
  let fd: number;
  try {
    fd = openSync(path, flags | CAREFUL);
  } catch (error) {
    throw new Refused(`${path}: ${reasonOf(error)}`, { cause: error });
  }
  try {
    const stats = fstatSync(fd, { bigint: true });
    if (!stats.isFile()) throw new Refused(`${path}: it is no regular file any more`);
    return use(fd, stats);
  } finally {
    closeSync(fd);
  }
}

/** Null where nothing is. Never follows a link. */
export function lookAt(path: string): BigIntStats | null {
  try {
    return lstatSync(path, { bigint: true });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw new Refused(`${path}: ${reasonOf(error)}`, { cause: error });
  }
}
