import { readFile, stat, writeFile } from 'node:fs/promises';
import { filesEntries } from './files-image.ts';
import { type Field, fieldOf, readFields } from './protobuf.ts';

/** images/fdinfo.proto, `file_entry`; images/timerfd.proto, `timerfd_entry`. */
const TFD = 12;
const VSEC = 7;
const VNSEC = 8;
const ISEC = 9;
const INSEC = 10;
/** A hundred thousand open files take some ten megabytes. */
const LONGEST = 256 * 1024 * 1024;

/**
 * A periodic timerfd that was due while the job was frozen, and not yet read, has no time left in CRIU's image, and
 * CRIU restores such a one as switched off: the program would wait for it for ever (criu#3162). One nanosecond left
 * has it go off at once, and on in its period. Changes `files.img` in place; the number of timers.
 */
export function rearmTimerfds(image: Buffer): number {
  const entries = filesEntries(image);
  if (typeof entries === 'string') return 0;
  let count = 0;
  for (const entry of entries) {
    const timer = fieldOf(readFields(entry), TFD);
    if (timer instanceof Buffer && rearm(timer)) count++;
  }
  return count;
}

function rearm(timer: Buffer): boolean {
  const fields = readFields(timer);
  const left: Field | undefined = fields?.findLast(({ number }) => number === VNSEC);
  const isDue = left?.value === 0 && fieldOf(fields, VSEC) === 0;
  const isPeriodic = fieldOf(fields, ISEC) !== 0 || fieldOf(fields, INSEC) !== 0;
  if (!left || !isDue || !isPeriodic) return false;
  // Zero is one byte, and so is one.
  timer[left.at] = 1;
  return true;
}

/** The same for the image at `path`, which is written only if something is to change. Rejects with the disk's error. */
export async function rearmTimerfdsIn(path: string): Promise<number> {
  if ((await stat(path)).size > LONGEST) return 0;
  const image = await readFile(path);
  const count = rearmTimerfds(image);
  if (count > 0) await writeFile(path, image, { flag: 'r+' });
  return count;
}
