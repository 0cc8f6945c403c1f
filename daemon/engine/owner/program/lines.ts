import { readSync, writeSync } from 'node:fs';

const CHUNK_BYTES = 64 * 1024;

/** The lines of an open file, without their ends, each as soon as it is there. What comes after the last end is none. */
export function* linesOf(fd: number): Generator<string> {
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  let pieces: Buffer[] = [];
  for (let count = readSync(fd, chunk); count > 0; count = readSync(fd, chunk)) {
    let from = 0;
    for (let end = chunk.indexOf(10); end >= 0 && end < count; end = chunk.indexOf(10, from)) {
      pieces.push(Buffer.from(chunk.subarray(from, end)));
      yield Buffer.concat(pieces).toString('utf8');
      pieces = [];
      from = end + 1;
    }
    pieces.push(Buffer.from(chunk.subarray(from, count)));
  }
}

export function writeLine(fd: number, text: string): void {
  const bytes = Buffer.from(`${text}\n`);
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
}
