import { mkdir, readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { withHardDeadline } from '../../../system/async/deadline.ts';
import { mapConcurrent } from '../../../system/async/map-concurrent.ts';
import type { Millis } from '../../../vocabulary/job.ts';
import { storeFile, storeTiny } from '../../files/compress.ts';
import { moveFile, type StoredFile } from '../../files/copy-file.ts';
import { isCompressible, type Sample } from '../../files/is-compressible.ts';
import type { Manifest } from '../../manifest.ts';
import { atStore, atStoreForLong } from '../../store/fs/threads.ts';
import type { Staging } from './staging.ts';

/** What a dump left on this node's disk. */
export interface Dumped {
  /** Null for `rootfsonly`. */
  readonly criuVersion: string | null;
  /** Null where nothing of this node is carried. */
  readonly carried: readonly string[] | null;
  readonly staging: Staging;
}

/** What the manifest says of a checkpoint's files. */
export type Stored = Pick<Manifest, 'compress' | 'images' | 'archive'>;

interface File extends Sample {
  readonly name: string;
}

const AT_ONCE = 8;
const SMALL_BYTES = 1024 * 1024;
const TINY_BYTES = 64 * 1024;
const isSmall = ({ bytes }: File): boolean => bytes < SMALL_BYTES;

/** A job may stand frozen meanwhile. As slow as a file system may be that takes part in this. */
const AT_LEAST_MS: Millis = 30_000;
const BYTES_PER_MS = (20 * 1024 * 1024) / 1000;

/**
 * Brings what was dumped into the folder of a pending checkpoint. `wanted: 'zstd'` is followed where it makes files
 * smaller. What is stored as it is may be missing in the staging folder afterwards, which is of no use any more.
 * Rejects with the file system's error, and where it gives none but does not answer either.
 */
export async function storeAll(
  dir: string,
  { staging, criuVersion, carried }: Dumped,
  wanted: 'zstd' | 'none',
  signal: AbortSignal,
): Promise<Stored> {
  const names = criuVersion === null ? [] : (await readdir(staging.images)).sort();
  const images = await Promise.all(names.map((name) => fileOf(join(staging.images, name))));
  const archive = carried === null ? null : await fileOf(staging.archive);
  const all = archive === null ? images : [...images, archive];
  const record = await fileOf(staging.record);
  const compress = wanted === 'zstd' && (await isCompressible(all)) ? 'zstd' : 'none';
  const limit = AT_LEAST_MS + all.reduce((sum, { bytes }) => sum + bytes, 0) / BYTES_PER_MS;
  const late = `the shared file system took longer than ${Math.round(limit / 1000)} s`;
  return withHardDeadline(limit, late, signal, async (stop) =>
    store({ dir, images, archive, record, compress, isApart: await isApart(dir, staging.dir, stop) }, stop),
  );
}

interface Storing {
  readonly dir: string;
  readonly images: readonly File[];
  readonly archive: File | null;
  readonly record: File;
  readonly compress: 'zstd' | 'none';
  readonly isApart: boolean;
}

async function store(
  { dir, images, archive, record, compress, isApart }: Storing,
  signal: AbortSignal,
): Promise<Stored> {
  const suffix = compress === 'zstd' ? '.zst' : '';
  const folder = join(dir, 'images');
  await atStore(() => mkdir(folder, { mode: 0o700 }), signal);
  const targets = new Map(images.map((file) => [file, join(folder, `${file.name}${suffix}`)]));
  targets.set(record, join(dir, 'record.zst'));
  if (archive !== null) targets.set(archive, join(dir, `${archive.name}${suffix}`));
  const stored = new Map<File, StoredFile>();
  const write = (file: File): Promise<StoredFile> => {
    const [{ path, bytes }, target] = [file, targets.get(file)!];
    const how = file === record ? 'zstd' : compress;
    if (isApart && bytes <= TINY_BYTES) return storeTiny(path, target, how);
    return how === 'zstd' ? storeFile(path, target, how, signal) : moveFile(path, target, signal);
  };
  const bring = async (file: File): Promise<void> => {
    const inTurn = isSmall(file) ? atStore : atStoreForLong;
    stored.set(file, await inTurn(() => write(file), signal));
  };
  const files = [...targets.keys()];
  // Many small files are a matter of waiting, few large ones one of a CPU.
  await mapConcurrent(AT_ONCE, files.filter(isSmall), bring);
  await mapConcurrent(
    1,
    files.filter((file) => !isSmall(file)),
    bring,
  );
  return {
    compress,
    images: images.map((file) => ({ name: file.name, ...stored.get(file)! })),
    archive: archive && archiveOf(`${archive.name}${suffix}`, stored.get(archive)!),
  };
}

/** Whether what was dumped is on a disk of this node, as it should be, and not on the store's file system. */
async function isApart(dir: string, staging: string, signal: AbortSignal): Promise<boolean> {
  const [there, here] = await Promise.all([atStore(() => stat(dir), signal), stat(staging)]);
  return there.dev !== here.dev;
}

async function fileOf(path: string): Promise<File> {
  return { path, name: basename(path), bytes: (await stat(path)).size };
}

function archiveOf(name: string, { storedBytes, crc32 }: StoredFile): Manifest['archive'] {
  return { name, bytes: storedBytes, ...(crc32 === undefined ? {} : { crc32 }) };
}
