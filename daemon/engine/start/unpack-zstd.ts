import { type FileHandle, open } from 'node:fs/promises';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createZstdDecompress } from 'node:zlib';

const CHUNK = 1024 * 1024;
/** RFC 8878: the magic number, then the frame header descriptor, whose third bit says that a checksum follows. */
const ZSTD_MAGIC = 0xfd2fb528;
const CHECKSUM_BIT = 0x04;

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
  const problem = await badHead(source, sizes);
  if (problem !== null) return problem;
  await using target = await open(to, 'wx', 0o600);
  const most = sizes.bytes ?? sizes.most ?? 0;
  let count = 0;
  const bound = new Transform({
    highWaterMark: CHUNK,
    transform(chunk: Buffer, _, done) {
      count += chunk.length;
      done(count > most ? new TooLong() : null, chunk);
    },
  });
  try {
    // Both streams close their handles: a handle waits, at its own close, for a stream that does not.
    await pipeline(
      source.createReadStream({ start: 0, highWaterMark: CHUNK }),
      createZstdDecompress({ chunkSize: CHUNK }),
      bound,
      target.createWriteStream({ highWaterMark: CHUNK }),
    );
  } catch (error) {
    if (error instanceof TooLong) return `holds more than ${most} bytes`;
    if (isZstdError(error)) return `cannot be decompressed: ${(error as Error).message}`;
    throw error;
  }
  return sizes.bytes === null || count === sizes.bytes ? null : `holds ${count} bytes and not ${sizes.bytes}`;
}

class TooLong extends Error {}

async function openToRead(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

async function badHead(file: FileHandle, { storedBytes }: Sizes): Promise<string | null> {
  const stats = await file.stat();
  if (!stats.isFile()) return 'is no file';
  if (stats.size !== storedBytes) return `has ${stats.size} bytes and not ${storedBytes}`;
  const head = Buffer.alloc(5);
  await file.read(head, 0, head.length, 0);
  if (head.readUInt32LE(0) !== ZSTD_MAGIC) return 'is no zstd file';
  return (head[4]! & CHECKSUM_BIT) === 0 ? 'has no checksum' : null;
}

/** zlib's errors, among those of the file systems on both sides. */
function isZstdError(error: unknown): boolean {
  const { code, syscall } = error as NodeJS.ErrnoException;
  return syscall === undefined && /^(ZSTD_|ERR_ZSTD|Z_)/.test(code ?? '');
}
