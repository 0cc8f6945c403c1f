import { readFileSync } from 'node:fs';
import { open, readFile, stat, writeFile } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { constants, crc32, createZstdCompress, zstdCompress, zstdCompressSync } from 'node:zlib';
import { blocksOf } from './blocks.ts';
import { copyFile, type StoredFile } from './copy-file.ts';
import { FlushedFile } from './flushed-file.ts';

const CHUNK = 1024 * 1024;
/** Most of CRIU's images are some hundred bytes: for those a stream costs more than what goes through it. */
const WHOLE_BYTES = CHUNK;

/** Level 1: the bytes have to get to a file system, not into an archive. */
const PARAMS = { [constants.ZSTD_c_compressionLevel]: 1, [constants.ZSTD_c_checksumFlag]: 1 };
const packed = promisify(zstdCompress);

/**
 * Copies a file, compressed by zstd with a checksum, or as it is. One file keeps one thread busy at most. Rejects
 * with the file system's error; never replaces anything.
 */
export function storeFile(
  from: string,
  to: string,
  compress: 'zstd' | 'none',
  signal?: AbortSignal,
): Promise<StoredFile> {
  return compress === 'none' ? copyFile(from, to, signal) : pack(from, to, signal);
}

/**
 * The same for a file of at most some ten kilobytes, most of CRIU's images: reading it and compressing it on the spot
 * takes less than Node's threads do to begin. Everybody waits for that, so never from a file system that may hang.
 */
export async function storeTiny(from: string, to: string, compress: 'zstd' | 'none'): Promise<StoredFile> {
  const content = readFileSync(from);
  const stored = compress === 'zstd' ? zstdCompressSync(content, { params: PARAMS }) : content;
  await writeFile(to, stored, { flag: 'wx', mode: 0o600 });
  const sizes = { bytes: content.length, storedBytes: stored.length };
  return compress === 'zstd' ? sizes : { ...sizes, crc32: crc32(content) };
}

async function pack(from: string, to: string, signal: AbortSignal | undefined): Promise<StoredFile> {
  const { size } = await stat(from);
  if (size > WHOLE_BYTES) return packStream(from, to, signal);
  const content = await readFile(from);
  const stored = await packed(content, { params: PARAMS });
  await writeFile(to, stored, { flag: 'wx', mode: 0o600 });
  return { bytes: content.length, storedBytes: stored.length };
}

async function packStream(from: string, to: string, signal: AbortSignal | undefined): Promise<StoredFile> {
  await using source = await open(from, 'r');
  // A block is the reader's again once the next one is asked for: none may wait in line for the thread.
  const options = { chunkSize: CHUNK, params: PARAMS, writableHighWaterMark: 1 };
  const squeeze = createZstdCompress(options);
  const target = await FlushedFile.create(to);
  try {
    const write = async (chunks: AsyncIterable<Buffer>) => {
      for await (const chunk of chunks) await target.write(chunk);
    };
    await pipeline(blocksOf(source, signal), squeeze, write, signal ? { signal } : {});
  } finally {
    await target.close();
  }
  return { bytes: squeeze.bytesWritten, storedBytes: target.written };
}
