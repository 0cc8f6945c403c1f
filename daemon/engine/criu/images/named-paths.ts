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

/** What CRIU makes, connects to and watches by its name when it restores: no process has it open under that name. */
export interface NamedPaths extends NamedSockets {
  /** By inotify(7). */
  readonly watched: readonly string[];
  /** What the owner of a job cannot restore, in its own words; null: nothing. */
  readonly unfit: string | null;
}

/** Field numbers of images/fdinfo.proto and sk-unix.proto. */
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
  const sockets = new Set<string>();
  const peers = new Set<string>();
  const watched = new Set<string>();
  let unfit: string | null = null;
  for (const entry of entries) {
    const fields = readFields(entry);
    const socket = nested(fields, UNIX, []);
    if (fields === null || socket === null) return 'files.img is cut';
    const watches = watchedBy(fields);
    if (typeof watches === 'string') return `files.img ${watches}`;
    for (const path of watches)
      if (path === null) unfit = 'it watches something that has no path any more (inotify)';
      else watched.add(path);
    // CAP_SYS_ADMIN, for what the images have of it.
    if (isFanotify(fields)) unfit = 'it has a descriptor of fanotify';
    // An abstract name begins with a NUL.
    const path = textOf(socket, UNIX_NAME)?.replace(/\0.*$/s, '') ?? '';
    if (path === '') continue;
    const absolute = path.startsWith('/') ? path : join(textOf(socket, UNIX_FOLDER) ?? '/', path);
    (isExtern(socket) ? peers : sockets).add(absolute);
  }
  return { sockets: [...sockets], peers: [...peers], watched: [...watched], unfit };
}

function isExtern(socket: readonly Field[]): boolean {
  const flags = fieldOf(socket, UNIX_UFLAGS);
  return typeof flags === 'number' && flags % 2 === EXTERN;
}

function textOf(fields: readonly Field[], number: number): string | undefined {
  const value = fieldOf(fields, number);
  return value instanceof Buffer ? value.toString('latin1') : undefined;
}
