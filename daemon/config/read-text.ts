import { closeSync, openSync, readSync } from 'node:fs';
import { ConfigError } from './problem.ts';

/**
 * A thousand policies fit in. The YAML parser needs about 1 KB and 10 µs a byte for the worst of texts
 * (`[[[[…`, measured with yaml 2.9), so that this is also a bound on memory and time.
 */
export const MOST_BYTES = 128 * 1024;

export const TOO_LONG = `is longer than ${MOST_BYTES / 1024} KiB`;

/** A UTF-8 text file, read no further than `MOST_BYTES`, so that /dev/zero does no harm. Throws ConfigError. */
export function readText(file: string): string {
  const refuse = (reason: string, cause?: unknown): never => {
    throw new ConfigError([{ source: file, line: null, column: null, path: '', reason }], { cause });
  };
  let bytes: Buffer;
  try {
    bytes = readAtMost(file, MOST_BYTES + 1);
  } catch (error) {
    return refuse(`cannot be read: ${(error as Error).message}`, error);
  }
  if (bytes.length > MOST_BYTES) return refuse(TOO_LONG);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    return refuse('is not UTF-8 text', error);
  }
}

function readAtMost(file: string, most: number): Buffer {
  const descriptor = openSync(file, 'r');
  try {
    const buffer = Buffer.alloc(most);
    let length = 0;
    while (length < most) {
      const count = readSync(descriptor, buffer, length, most - length, null);
      if (count === 0) break;
      length += count;
    }
    return buffer.subarray(0, length);
  } finally {
    closeSync(descriptor);
  }
}
