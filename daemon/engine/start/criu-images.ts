import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What CRIU opens, makes or removes by its name when it restores. Absolute; bytes as characters (latin1). */
export interface NamedPaths {
  /** Files, folders, programs, libraries. */
  readonly files: readonly string[];
  /** Sockets that are bound to a name in the file system: CRIU removes what is there and binds them anew. */
  readonly sockets: readonly string[];
}

/** Of criu/include/magic.h. */
const COMMON_MAGIC = 0x54564319;
const FILES_MAGIC = 0x56303138;
/** Field numbers of images/fdinfo.proto, regfile.proto, sk-unix.proto and fifo.proto. */
const REG = 3;
const REG_NAME = 6;
const UNIX = 16;
const UNIX_NAME = 11;
const UNIX_FOLDER = 14;

/** Reads CRIU's `files.img`. A string says what is wrong with it. */
export async function namedPaths(images: string): Promise<NamedPaths | string> {
  const image = await readFile(join(images, 'files.img'));
  if (image.length < 8 || image.readUInt32LE(0) !== COMMON_MAGIC || image.readUInt32LE(4) !== FILES_MAGIC)
    return 'files.img is none of CRIU';
  const files = new Set<string>();
  const sockets = new Set<string>();
  try {
    for (let at = 8; at < image.length; ) {
      const end = at + 4 + image.readUInt32LE(at);
      if (end > image.length) return 'files.img is cut';
      takeEntry(image.subarray(at + 4, end), files, sockets);
      at = end;
    }
  } catch (error) {
    if (error instanceof RangeError) return 'files.img is cut';
    throw error;
  }
  return { files: [...files], sockets: [...sockets] };
}

function takeEntry(entry: Buffer, files: Set<string>, sockets: Set<string>): void {
  const { [REG]: file, [UNIX]: socket } = texts(entry);
  const name = file && texts(file)[REG_NAME]?.toString('latin1');
  if (name?.startsWith('/')) files.add(name);
  if (!socket) return;
  const { [UNIX_NAME]: bytes, [UNIX_FOLDER]: folder } = texts(socket);
  const path = bytes?.toString('latin1').replace(/\0.*$/s, '') ?? '';
  // An abstract name begins with a NUL.
  if (path !== '') sockets.add(path.startsWith('/') ? path : join(folder?.toString('latin1') ?? '/', path));
}

/** The fields of a protobuf message that hold bytes, by their numbers. @throws RangeError where it is cut. */
function texts(message: Buffer): Record<number, Buffer> {
  const fields: Record<number, Buffer> = {};
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = message.readUInt8(at++);
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.length) {
    const key = varint();
    const type = key % 8;
    if (type === 0) varint();
    else if (type === 1) at += 8;
    else if (type === 5) at += 4;
    else if (type === 2) {
      const end = varint() + at;
      if (end > message.length) throw new RangeError('cut');
      fields[Math.floor(key / 8)] = message.subarray(at, end);
      at = end;
    } else throw new RangeError(`wire type ${type}`);
  }
  return fields;
}
