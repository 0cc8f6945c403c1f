import type { FileHandle } from 'node:fs/promises';

/** Large enough that the calls for it cost nothing beside the copying. */
const BLOCK_BYTES = 2 * 1024 * 1024;

/**
 * What is in a file from where it stands, in blocks that are good until the next one is asked for: while one is
 * used, the other is filled, and no block is allocated twice (memory that is fresh costs more than the reading).
 */
export async function* blocksOf(file: FileHandle, signal?: AbortSignal): AsyncGenerator<Buffer> {
  let [filling, used] = [Buffer.allocUnsafeSlow(BLOCK_BYTES), Buffer.allocUnsafeSlow(BLOCK_BYTES)];
  const fill = () => {
    const reading = file.read(filling, 0, BLOCK_BYTES);
    // It may fail while the block before it is used: said when its turn comes.
    reading.catch(() => undefined);
    return reading;
  };
  let reading = fill();
  try {
    for (;;) {
      const { bytesRead } = await reading;
      signal?.throwIfAborted();
      if (bytesRead === 0) return;
      [filling, used] = [used, filling];
      reading = fill();
      yield used.subarray(0, bytesRead);
    }
  } finally {
    // The file must not be closed, nor the block freed, below a read.
    await reading.catch(() => undefined);
  }
}
