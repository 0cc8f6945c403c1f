import { open } from 'node:fs/promises';
import { constants, zstdCompressSync } from 'node:zlib';

/** A file that a part may be taken of. */
export interface Sample {
  readonly path: string;
  readonly bytes: number;
}

/** Less than this is compressed sooner than looked at. */
const WORTH_A_LOOK = 8 * 1024 * 1024;
const LOOKS = 32;
const LOOK_BYTES = 64 * 1024;
/**
 * Random numbers and packed data shrink by nothing, weights of a neural network by a tenth: that is not worth having
 * a restore write all of it to the node's disk before CRIU can begin, which takes as long as the restore itself.
 */
const MOST = 0.9;
const PARAMS = { [constants.ZSTD_c_compressionLevel]: 1 };

/** Whether zstd makes these files together smaller, by a look at parts that lie evenly over all of them. */
export async function isCompressible(files: readonly Sample[]): Promise<boolean> {
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  if (total < WORTH_A_LOOK) return true;
  const step = total / LOOKS;
  let [looked, packed, before, next] = [0, 0, 0, 0];
  for (const { path, bytes } of files) {
    if (before + bytes > next) {
      await using file = await open(path, 'r');
      for (; next < before + bytes; next += step) {
        const part = Buffer.allocUnsafe(LOOK_BYTES);
        const { bytesRead } = await file.read(part, 0, LOOK_BYTES, Math.floor(next - before));
        looked += bytesRead;
        packed += zstdCompressSync(part.subarray(0, bytesRead), { params: PARAMS }).length;
      }
    }
    before += bytes;
  }
  return packed < looked * MOST;
}
