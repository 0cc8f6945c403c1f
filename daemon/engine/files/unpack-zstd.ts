import { writeFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { createZstdDecompress, zstdDecompressSync } from 'node:zlib';

const CHUNK = 1024 * 1024;
/** Most of CRIU's images are some hundred bytes: for those a stream costs more than what goes through it. */
const WHOLE_BYTES = CHUNK;
/** RFC 8878: the magic number, then the frame header descriptor, whose third bit says that a checksum follows. */
const ZSTD_MAGIC = 0xfd2fb528;
const CHECKSUM_BIT = 0x04;
const HEAD_BYTES = 5;
/** zlib takes no smaller one. */
const LEAST_CHUNK = 64;

/** What a file is, as far as nobody damaged it. */
export interface Sizes {
  readonly storedBytes: number;
  /** Null: not known, but not more than fits beside everything else. */
  readonly bytes: number | null;
  readonly most?: number;
}

/**
 * Unpacks one file of a checkpoint into a new one, and resolves to what is wrong with it, or null. zstd compares
 * its checksum; one that has none is refused. No more than `bytes`, or `most`, are ever written. Rejects for what
 * this node's disk does.
 */
export async function unpackZstd(from: string, to: string, sizes: Sizes): Promise<string | null> {
  await using source = await openToRead(from);
  if (source === null) return 'is missing';
  const isSmall = sizes.storedBytes <= WHOLE_BYTES && sizes.bytes !== null && sizes.bytes <= WHOLE_BYTES;
  const problem = await badFile(source, sizes);
  if (problem !== null) return problem;
  const start = await readStart(source, isSmall ? sizes.storedBytes : HEAD_BYTES);
  const wrong = badHead(start);
  if (wrong !== null) return wrong;
  const most = sizes.bytes ?? sizes.most ?? 0;
  let count: number;
  try {
    count = isSmall ? unpackWhole(start, to, most) : await unpackStream(source, to, most);
  } catch (error) {
    if (isTooLong(error)) return `holds more than ${most} bytes`;
    if (isZstdError(error)) return `cannot be decompressed: ${(error as Error).message}`;
    throw error;
  }
  return sizes.bytes === null || count === sizes.bytes ? null : `holds ${count} bytes and not ${sizes.bytes}`;
}

/**
 * In this thread: to hand so little to another, and to hear of it, takes longer than to do it. Only the store, which may
 * hang, is never waited for like that; what is written to is this node's own disk.
 */
function unpackWhole(stored: Buffer, to: string, most: number): number {
  // It takes no bound of zero.
  const bounds = { maxOutputLength: Math.max(1, most), chunkSize: Math.max(LEAST_CHUNK, most) };
  const content = zstdDecompressSync(stored, bounds);
  if (content.length > most) throw new TooLong();
  writeFileSync(to, content, { flag: 'wx', mode: 0o600 });
  return content.length;
}

async function readStart(source: FileHandle, bytes: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(bytes);
  const { bytesRead } = await source.read(buffer, 0, bytes, 0);
  return buffer.subarray(0, bytesRead);
}

async function unpackStream(source: FileHandle, to: string, most: number): Promise<number> {
  await using target = await open(to, 'wx', 0o600);
  let count = 0;
  const write = async (chunks: AsyncIterable<Buffer>) => {
    for await (const chunk of chunks) {
      count += chunk.length;
      if (count > most) throw new TooLong();
      await target.writeFile(chunk);
    }
  };
  // The stream closes its handle: a handle waits, at its own close, for a stream that does not.
  const stored = source.createReadStream({ start: 0, highWaterMark: CHUNK });
  await pipeline(stored, createZstdDecompress({ chunkSize: CHUNK }), write);
  return count;
}

class TooLong extends Error {}

function isTooLong(error: unknown): boolean {
  return error instanceof TooLong || (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
}

async function openToRead(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

async function badFile(file: FileHandle, { storedBytes }: Sizes): Promise<string | null> {
  const stats = await file.stat();
  if (!stats.isFile()) return 'is no file';
  return stats.size === storedBytes ? null : `has ${stats.size} bytes and not ${storedBytes}`;
}

function badHead(start: Buffer): string | null {
  if (start.length < HEAD_BYTES || start.readUInt32LE(0) !== ZSTD_MAGIC) return 'is no zstd file';
  return (start[HEAD_BYTES - 1]! & CHECKSUM_BIT) === 0 ? 'has no checksum' : null;
}

/** zlib's errors, among those of the file systems on both sides. */
function isZstdError(error: unknown): boolean {
  const { code, syscall } = error as NodeJS.ErrnoException;
  return syscall === undefined && /^(ZSTD_|ERR_ZSTD|Z_)/.test(code ?? '');
}
