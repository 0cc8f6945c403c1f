import { createReadStream, createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress } from 'node:zlib';

const CHUNK = 1024 * 1024;

/**
 * Copies a file, compressed by zstd with a checksum, or as it is. One file keeps one thread busy at most. Rejects
 * with the file system's error; never replaces anything. Returns the sizes in bytes.
 */
export async function storeFile(
  from: string,
  to: string,
  compress: 'zstd' | 'none',
  signal?: AbortSignal,
): Promise<{ bytes: number; storedBytes: number }> {
  const { size } = await stat(from);
  const squeeze =
    compress === 'none'
      ? new PassThrough({ highWaterMark: CHUNK })
      : createZstdCompress({
          chunkSize: CHUNK,
          // Level 1: the bytes have to get to a file system, not into an archive.
          params: { [constants.ZSTD_c_compressionLevel]: 1, [constants.ZSTD_c_checksumFlag]: 1 },
        });
  const source = createReadStream(from, { highWaterMark: CHUNK });
  const target = createWriteStream(to, { flags: 'wx', mode: 0o600, highWaterMark: CHUNK });
  await pipeline(source, squeeze, target, signal ? { signal } : {});
  return { bytes: size, storedBytes: (await stat(to)).size };
}
