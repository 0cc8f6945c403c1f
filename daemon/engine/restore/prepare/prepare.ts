import { chmod, mkdir, open, rm, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { mapConcurrent } from '../../../system/async/map-concurrent.ts';
import { sumOf } from '../../files/copy-file.ts';
import { unpackZstd } from '../../files/unpack-zstd.ts';
import type { Manifest } from '../../manifest.ts';
import type { Found } from '../../ports.ts';
import type { Places } from '../run/places.ts';

export type Prepared =
  | {
      readonly ok: true;
      /** For CRIU. */
      readonly images: string;
    }
  /** `damaged`: it is so on every node. */
  | { readonly ok: false; readonly damaged: boolean; readonly message: string };

/** What stays free on this node's disk. */
const MARGIN_BYTES = 64 * 1024 * 1024;
const AT_ONCE = 4;
const MEBIBYTE = 1024 * 1024;

/**
 * Brings a checkpoint's images and archive to where CRIU and tar take them from, everything of it compared with
 * the manifest. Images that are not compressed stay in the store.
 */
export async function prepare({ manifest, dir }: Found, places: Places): Promise<Prepared> {
  try {
    await rm(places.dir, { recursive: true, force: true });
    for (const folder of [dirname(places.dir), places.dir, places.images])
      await mkdir(folder, { recursive: true, mode: 0o700 });
    const isPacked = manifest.compress === 'zstd';
    const full = await tooLittleSpace(places, isPacked ? manifest.images : []);
    if (full !== null) return { ok: false, damaged: false, message: full };
    const stored = join(dir, 'images');
    const problem =
      (isPacked ? await unpackImages(manifest, stored, places) : await wrongImage(manifest, stored)) ??
      (await unpackArchive(manifest, dir, places));
    if (problem !== null) return { ok: false, damaged: true, message: problem };
    const images = imagesOf({ manifest, dir }, places);
    await letBeRead(images, manifest);
    return { ok: true, images };
  } catch (error) {
    const message = `it cannot be unpacked on this node: ${(error as Error).message}`;
    return { ok: false, damaged: false, message };
  }
}

/** Where CRIU takes the prepared images of a checkpoint from. */
export function imagesOf({ manifest, dir }: Pick<Found, 'manifest' | 'dir'>, places: Places): string {
  return manifest.compress === 'zstd' ? places.images : join(dir, 'images');
}

/** Where the prepared archive of a checkpoint is; null where it has none. */
export function archiveOf({ manifest, dir }: Found, places: Places): string | null {
  if (manifest.archive === null) return null;
  return manifest.compress === 'zstd' ? places.archive : join(dir, manifest.archive.name);
}

/**
 * CRIU reads the images with the rights of the job's owner. It gets their folder as an open descriptor: nobody but root
 * comes past the folders above, and they stay root's to write.
 */
async function letBeRead(images: string, manifest: Manifest): Promise<void> {
  await mapConcurrent(AT_ONCE, manifest.images, ({ name }) => chmod(join(images, name), 0o444));
  await chmod(images, 0o555);
}

async function tooLittleSpace(places: Places, images: Manifest['images']): Promise<string | null> {
  const needed = images.reduce((sum, { bytes }) => sum + bytes, 0);
  if (needed === 0) return null;
  const { bavail, bsize } = await statfs(places.dir);
  const free = bavail * bsize;
  if (free >= needed + MARGIN_BYTES) return null;
  const [need, have] = [needed, free].map((bytes) => Math.ceil(bytes / MEBIBYTE));
  return `it needs ${need} MiB in ${places.dir}, and ${have} MiB are free`;
}

async function unpackImages({ images }: Manifest, from: string, places: Places): Promise<string | null> {
  // The big ones first: whoever comes last is waited for alone.
  const waiting = images.toSorted((a, b) => a.bytes - b.bytes);
  let problem: string | null = null;
  async function worker(): Promise<void> {
    for (let image = waiting.pop(); image && problem === null; image = waiting.pop()) {
      const name = `${image.name}.zst`;
      const wrong = await unpackZstd(join(from, name), join(places.images, image.name), image);
      if (wrong !== null) problem ??= `its image ${name} ${wrong}`;
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return problem;
}

/** CRIU reads what is there, so that it is read once before. */
async function wrongImage({ images }: Manifest, from: string): Promise<string | null> {
  const wrong = await mapConcurrent(AT_ONCE, images, async (image) => {
    const why = await wrongFile(join(from, image.name), image);
    return why === null ? null : `its image ${image.name} ${why}`;
  });
  return wrong.find((why) => why !== null) ?? null;
}

/** Its size is known when it is unpacked: it may take what is free. */
async function unpackArchive(
  { archive, compress }: Manifest,
  from: string,
  places: Places,
): Promise<string | null> {
  if (archive === null) return null;
  const path = join(from, archive.name);
  const { bavail, bsize } = await statfs(places.dir);
  const most = Math.max(0, bavail * bsize - MARGIN_BYTES);
  const wrong =
    compress === 'zstd'
      ? await unpackZstd(path, places.archive, { storedBytes: archive.bytes, bytes: null, most })
      : await wrongFile(path, archive);
  return wrong === null ? null : `its archive ${archive.name} ${wrong}`;
}

/** A file that is stored as it is. Without `crc32`, from an engine that made none, its size has to do. */
async function wrongFile(
  path: string,
  { bytes, crc32 }: { readonly bytes: number; readonly crc32?: number | undefined },
): Promise<string | null> {
  const there = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (!there?.isFile()) return 'is missing';
  if (there.size !== bytes) return `has ${there.size} bytes and not ${bytes}`;
  if (crc32 === undefined) return null;
  await using file = await open(path, 'r');
  const sum = await sumOf(file);
  return sum.crc32 === crc32 ? null : 'is damaged: its checksum is another one';
}
