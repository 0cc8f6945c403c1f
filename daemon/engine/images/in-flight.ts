import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { entriesOf } from './entries.ts';
import { filesEntries } from './files-image.ts';
import { fieldOf, readFields } from './protobuf.ts';
import { watchedBy } from './watches.ts';

/** criu/include/magic.h; images/sk-packet.proto, remap-file-path.proto, fdinfo.proto and regfile.proto. */
const QUEUES = { name: 'sk-queues.img', magic: 0x56264026 };
const LENGTH = 2;
const SCM = 4;
const RIGHTS = 2;
const REMAPS = { name: 'remap-fpath.img', magic: 0x59133954 };
const REMAPPED = 1;
const REMAP_TYPE = 3;
const GHOST = 1;
const ID = 2;
const REG = 3;
const NAME = 6;

/** Names of files whose descriptors were on their way over a socket (SCM_RIGHTS). Absolute, latin1. */
export interface InFlight {
  readonly files: readonly string[];
  /** The same for files that were deleted, which CRIU makes anew. */
  readonly deleted: readonly string[];
}

/**
 * What CRIU opens and puts into the queue of a socket: no process has it when the restored tree is looked at. A string
 * says what is wrong with an image.
 */
export async function inFlight(images: string): Promise<InFlight | string> {
  const none = { files: [], deleted: [] };
  const queues = await read(join(images, QUEUES.name));
  if (queues === null) return none;
  const packets = entriesOf(queues, QUEUES, (packet) => Number(fieldOf(readFields(packet), LENGTH)));
  if (typeof packets === 'string') return packets;
  const ids = new Set(packets.flatMap(rightsOf));
  if (ids.size === 0) return none;
  const remaps = await read(join(images, REMAPS.name));
  const remapped = remaps === null ? [] : entriesOf(remaps, REMAPS);
  if (typeof remapped === 'string') return remapped;
  // Others have another name, by which they are opened.
  const ghosts = remapped.map(readFields).filter((fields) => fieldOf(fields, REMAP_TYPE) === GHOST);
  const gone = new Set(ghosts.map((fields) => fieldOf(fields, REMAPPED)));
  const entries = filesEntries(await readFile(join(images, 'files.img')));
  if (typeof entries === 'string') return entries;
  const found = { files: [] as string[], deleted: [] as string[] };
  for (const entry of entries) {
    const fields = readFields(entry);
    const id = fieldOf(fields, ID);
    const file = fieldOf(fields, REG);
    if (fields === null || typeof id !== 'number' || !ids.has(id)) continue;
    const watches = watchedBy(fields);
    // What has no path is refused wherever it is.
    if (typeof watches !== 'string') found.files.push(...watches.filter((path) => path !== null));
    if (!(file instanceof Buffer)) continue;
    const name = fieldOf(readFields(file), NAME);
    if (name instanceof Buffer) (gone.has(id) ? found.deleted : found.files).push(name.toString('latin1'));
  }
  return found;
}

/** The ids in files.img that a packet carries. */
function rightsOf(packet: Buffer): number[] {
  const carried = (readFields(packet) ?? []).filter(({ number }) => number === SCM);
  return carried.flatMap(({ value }) => {
    const fields = value instanceof Buffer ? (readFields(value) ?? []) : [];
    return fields.flatMap((right) =>
      right.number === RIGHTS && typeof right.value === 'number' ? [right.value] : [],
    );
  });
}

/** Null where there is none: CRIU makes it when it has something to write. */
async function read(path: string): Promise<Buffer | null> {
  return readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
}
