import { type Field, fieldOf, readFields } from './protobuf.ts';

/** Field numbers of images/fdinfo.proto, fsnotify.proto and fh.proto. */
const INOTIFY = 13;
const FANOTIFY = 14;
const WATCH = 5;
const HANDLE = 7;
const PATH = 4;

/**
 * What an entry of files.img watches by inotify(7): paths, absolute, in latin1; null for something that has none, which
 * CRIU opens by its handle. Nothing where it is another kind of descriptor; a string where it is cut.
 */
export function watchedBy(entry: readonly Field[]): (string | null)[] | string {
  const inotify = fieldOf(entry, INOTIFY);
  if (!(inotify instanceof Buffer)) return [];
  const watches = readFields(inotify)?.filter(({ number }) => number === WATCH);
  if (!watches) return 'is cut';
  const paths: (string | null)[] = [];
  for (const { value } of watches) {
    const handle = value instanceof Buffer ? fieldOf(readFields(value), HANDLE) : undefined;
    const fields = handle instanceof Buffer ? readFields(handle) : null;
    if (fields === null) return 'is cut';
    const path = fieldOf(fields, PATH);
    paths.push(path instanceof Buffer && path[0] === 0x2f ? path.toString('latin1') : null);
  }
  return paths;
}

export const isFanotify = (entry: readonly Field[]): boolean => fieldOf(entry, FANOTIFY) !== undefined;
