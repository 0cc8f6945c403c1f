import { open, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { entriesOf, firstEntry, withEntries } from './entries.ts';
import { filesEntries } from './files-image.ts';
import { type Field, fieldOf, nested, readFields, replaced, withNumber } from './protobuf.ts';

/** A file without a name that a process has open or mapped: CRIU makes it anew in its old folder, and deletes it again. */
export interface Ghost {
  /** Latin1. */
  readonly path: string;
  readonly uid: number;
  readonly gid: number;
  /** Its image. */
  readonly name: string;
}

/** criu/include/magic.h; images/remap-file-path.proto, ghost-file.proto, fdinfo.proto and regfile.proto. */
const REMAPS = { name: 'remap-fpath.img', magic: 0x59133954 };
const GHOST_MAGIC = 0x52583605;
const FILES = 'files.img';
const [ORIGINAL, REMAPPED, REMAP_TYPE, IS_GHOST] = [1, 2, 3, 1];
const [UID, GID] = [1, 2];
const [FILE_ID, REG, NAME] = [2, 3, 6];
/** The images of larger ones are not written once more. */
const LONGEST = 256 * 1024 * 1024;
/** More than its first message takes, with a path in it. */
const HEAD_BYTES = 64 * 1024;

/**
 * The deleted files of a checkpoint, by the ids that they have in files.img. A string says what is wrong with an image.
 */
export async function readGhosts(images: string): Promise<Map<number, Ghost> | string> {
  const remaps = await readFile(join(images, REMAPS.name)).catch((error: NodeJS.ErrnoException) => {
    // CRIU makes it when it has something to write.
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  const ghosts = new Map<number, Ghost>();
  if (remaps === null) return ghosts;
  const entries = entriesOf(remaps, REMAPS);
  if (typeof entries === 'string') return entries;
  const named = namesById(await readFile(join(images, FILES)));
  if (typeof named === 'string') return named;
  for (const fields of entries.map(readFields)) {
    if (fieldOf(fields, REMAP_TYPE) !== IS_GHOST) continue;
    const [id, image] = [fieldOf(fields, ORIGINAL), fieldOf(fields, REMAPPED)];
    const path = named.get(Number(id));
    if (typeof image !== 'number' || path === undefined) return `${REMAPS.name} names what is not there`;
    const name = `ghost-file-${image.toString(16)}.img`;
    const owner = firstEntry(await headOf(join(images, name)), GHOST_MAGIC);
    const [uid, gid] = [UID, GID].map((field) => fieldOf(owner && readFields(owner), field));
    if (typeof uid !== 'number' || typeof gid !== 'number') return `${name} names no owner`;
    ghosts.set(Number(id), { path, uid, gid, name });
  }
  return ghosts;
}

/**
 * Gives the owner of a job the files of others among these, such as a library of root's that an upgrade has removed:
 * CRIU, with the owner's rights, can neither make such a file in a folder of root's nor give it to root. What is in it the job
 * could read before. It is made in /tmp then, under a name with `tag` in it. Rejects with a reason.
 */
export async function takeOverGhosts(
  images: string,
  { uid, gid, groups }: { readonly uid: number; readonly gid: number; readonly groups: readonly number[] },
  tag: string,
): Promise<void> {
  const ghosts = await readGhosts(images);
  if (typeof ghosts === 'string') throw new Error(ghosts);
  const isOthers = (ghost: Ghost): boolean =>
    ghost.uid !== uid || (ghost.gid !== gid && !groups.includes(ghost.gid));
  const others = new Map([...ghosts].filter(([, ghost]) => isOthers(ghost)));
  if (others.size === 0) return;
  for (const name of new Set([...others.values()].map((ghost) => ghost.name))) {
    const path = join(images, name);
    if ((await stat(path)).size > LONGEST)
      throw new Error(`it has a deleted file open that is another user's, and larger than ${LONGEST} bytes`);
    const image = await readFile(path);
    const first = firstEntry(image, GHOST_MAGIC)!;
    // The last of two counts.
    const mine = withNumber(withNumber(first, UID, uid), GID, gid);
    await writeFile(path, withEntries(image, [[first, mine]]));
  }
  const files = await readFile(join(images, FILES));
  const changes = (filesEntries(files) as Buffer[]).flatMap((entry): [Buffer, Buffer][] => {
    const fields = readFields(entry)!;
    const ghost = others.get(Number(fieldOf(fields, FILE_ID)));
    const reg = fields.findLast(({ number }) => number === REG);
    if (!ghost || !(reg?.value instanceof Buffer)) return [];
    const name = Buffer.from(`/tmp/.ckptd-${tag}-${ghost.name}`);
    return [[entry, replaced(entry, reg, replaced(reg.value, nameIn(reg.value)!, name))]];
  });
  await writeFile(join(images, FILES), withEntries(files, changes));
}

/** Its content comes behind, which may be a gigabyte. */
async function headOf(path: string): Promise<Buffer> {
  await using file = await open(path, 'r');
  const head = Buffer.alloc(HEAD_BYTES);
  const { bytesRead } = await file.read(head, 0, HEAD_BYTES, 0);
  return head.subarray(0, bytesRead);
}

const nameIn = (reg: Buffer): Field | undefined => readFields(reg)?.findLast(({ number }) => number === NAME);

function namesById(files: Buffer): Map<number, string> | string {
  const entries = filesEntries(files);
  if (typeof entries === 'string') return entries;
  const names = new Map<number, string>();
  for (const fields of entries.map(readFields)) {
    const name = fieldOf(nested(fields, REG, null), NAME);
    if (name instanceof Buffer) names.set(Number(fieldOf(fields, FILE_ID)), name.toString('latin1'));
  }
  return names;
}
