import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { filesEntries } from './files-image.ts';
import { type Field, fieldOf, nested, readFields } from './protobuf.ts';
import { isFanotify, watchedBy } from './watches.ts';

/** Unix sockets that have a name in the file system. Absolute; bytes as characters (latin1). */
export interface NamedSockets {
  /** The job's own: CRIU removes what is there and binds them anew. */
  readonly sockets: readonly string[];
  /** Of others, such as /dev/log: CRIU connects to them. */
  readonly peers: readonly string[];
}

/** What CRIU opens, makes or removes by its name when it restores. */
export interface NamedPaths extends NamedSockets {
  /** Files, folders, programs, libraries. */
  readonly files: readonly string[];
  /** Those of them that are watched by inotify(7). */
  readonly watched: readonly string[];
  /** What nobody could look at after a restore; null: nothing. */
  readonly unfit: string | null;
}

/** Field numbers of images/fdinfo.proto, regfile.proto, sk-unix.proto and fifo.proto. */
const REG = 3;
const REG_NAME = 6;
const UNIX = 16;
const UNIX_UFLAGS = 6;
const UNIX_NAME = 11;
const UNIX_FOLDER = 14;
/** USK_EXTERN of CRIU's sk-unix.c. */
const EXTERN = 1;

/** Reads CRIU's `files.img`. A string says what is wrong with it. */
export async function namedPaths(images: string): Promise<NamedPaths | string> {
  const entries = filesEntries(await readFile(join(images, 'files.img')));
  if (typeof entries === 'string') return entries;
  const files = new Set<string>();
  const sockets = new Set<string>();
  const peers = new Set<string>();
  const watched = new Set<string>();
  let unfit: string | null = null;
  for (const entry of entries) {
    const fields = readFields(entry);
    const file = nested(fields, REG, []);
    const socket = nested(fields, UNIX, []);
    if (fields === null || file === null || socket === null) return 'files.img is cut';
    const watches = watchedBy(fields);
    if (typeof watches === 'string') return `files.img ${watches}`;
    for (const path of watches)
      if (path === null) unfit = 'it watches something that has no path any more (inotify)';
      else watched.add(path);
    // What root makes of it sees more than what a user may make.
    if (isFanotify(fields)) unfit = 'it has a descriptor of fanotify';
    const name = textOf(file, REG_NAME);
    if (name?.startsWith('/')) files.add(name);
    // An abstract name begins with a NUL.
    const path = textOf(socket, UNIX_NAME)?.replace(/\0.*$/s, '') ?? '';
    if (path === '') continue;
    const absolute = path.startsWith('/') ? path : join(textOf(socket, UNIX_FOLDER) ?? '/', path);
    (isExtern(socket) ? peers : sockets).add(absolute);
  }
  const all = new Set([...files, ...watched]);
  return { files: [...all], sockets: [...sockets], peers: [...peers], watched: [...watched], unfit };
}

function isExtern(socket: readonly Field[]): boolean {
  const flags = fieldOf(socket, UNIX_UFLAGS);
  return typeof flags === 'number' && flags % 2 === EXTERN;
}

function textOf(fields: readonly Field[], number: number): string | undefined {
  const value = fieldOf(fields, number);
  return value instanceof Buffer ? value.toString('latin1') : undefined;
}
