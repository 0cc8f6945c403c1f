import { type FileHandle, link, open, unlink } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { blocksOf } from './blocks.ts';
import { FlushedFile } from './flushed-file.ts';

/** A file of a checkpoint, sizes in bytes. */
export interface StoredFile {
  readonly bytes: number;
  readonly storedBytes: number;
  /** Of what is stored as it is: zstd has a checksum of its own. */
  readonly crc32?: number;
}

/** Copies a file as it is. Rejects with the file system's error; never replaces anything. */
export async function copyFile(from: string, to: string, signal?: AbortSignal): Promise<StoredFile> {
  await using source = await open(from, 'r');
  const target = await FlushedFile.create(to);
  let sum = 0;
  try {
    for await (const block of blocksOf(source, signal)) {
      const written = target.write(block);
      sum = crc32(block, sum);
      await written;
    }
  } finally {
    await target.close();
  }
  return { bytes: target.written, storedBytes: target.written, crc32: sum };
}

/** Where a link cannot be made: another file system, another mount of the same one, or one that has none. */
const NO_LINK = new Set(['EXDEV', 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

/** Of these the store's fsync makes many durable in one go. */
const SMALL_BYTES = 1024 * 1024;

/**
 * Gives a file another name instead of copying it, where both are on one file system; else copies it. Never
 * replaces anything. Whoever calls it owns both folders, and needs the file under its old name no more.
 */
export async function moveFile(from: string, to: string, signal?: AbortSignal): Promise<StoredFile> {
  try {
    // Not rename(2), which would replace.
    await link(from, to);
  } catch (error) {
    if (!NO_LINK.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
    return copyFile(from, to, signal);
  }
  await unlink(from);
  await using file = await open(to, 'r');
  if ((await file.stat()).size <= SMALL_BYTES) {
    const content = await file.readFile();
    return { bytes: content.length, storedBytes: content.length, crc32: crc32(content) };
  }
  // The disk is at it while the sum is made.
  const flushed = file.datasync();
  flushed.catch(() => undefined);
  const sum = await sumOf(file, signal);
  await flushed;
  return sum;
}

/** Reads an open file to its end. */
export async function sumOf(file: FileHandle, signal?: AbortSignal): Promise<Required<StoredFile>> {
  let [bytes, sum] = [0, 0];
  for await (const block of blocksOf(file, signal)) {
    sum = crc32(block, sum);
    bytes += block.length;
  }
  return { bytes, storedBytes: bytes, crc32: sum };
}
