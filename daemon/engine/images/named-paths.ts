import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { filesEntries } from './files-image.ts';
import { type Field, fieldOf, readFields } from './protobuf.ts';

/** What CRIU opens, makes or removes by its name when it restores. Absolute; bytes as characters (latin1). */
export interface NamedPaths {
  /** Files, folders, programs, libraries. */
  readonly files: readonly string[];
  /** Sockets that are bound to a name in the file system: CRIU removes what is there and binds them anew. */
  readonly sockets: readonly string[];
}

/** Field numbers of images/fdinfo.proto, regfile.proto, sk-unix.proto and fifo.proto. */
const REG = 3;
const REG_NAME = 6;
const UNIX = 16;
const UNIX_NAME = 11;
const UNIX_FOLDER = 14;

/** Reads CRIU's `files.img`. A string says what is wrong with it. */
export async function namedPaths(images: string): Promise<NamedPaths | string> {
  const entries = filesEntries(await readFile(join(images, 'files.img')));
  if (typeof entries === 'string') return entries;
  const files = new Set<string>();
  const sockets = new Set<string>();
  for (const entry of entries) {
    const fields = readFields(entry);
    const file = nested(fields, REG);
    const socket = nested(fields, UNIX);
    if (fields === null || file === null || socket === null) return 'files.img is cut';
    const name = textOf(file, REG_NAME);
    if (name?.startsWith('/')) files.add(name);
    // An abstract name begins with a NUL.
    const path = textOf(socket, UNIX_NAME)?.replace(/\0.*$/s, '') ?? '';
    if (path !== '')
      sockets.add(path.startsWith('/') ? path : join(textOf(socket, UNIX_FOLDER) ?? '/', path));
  }
  return { files: [...files], sockets: [...sockets] };
}

/** The fields of a nested message, none where it is left out; null where it is cut. */
function nested(fields: readonly Field[] | null, number: number): readonly Field[] | null {
  const message = fieldOf(fields, number);
  return message instanceof Buffer ? readFields(message) : [];
}

function textOf(fields: readonly Field[], number: number): string | undefined {
  const value = fieldOf(fields, number);
  return value instanceof Buffer ? value.toString('latin1') : undefined;
}
