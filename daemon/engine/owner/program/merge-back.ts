import { constants, fstatSync, fsyncSync, readSync, renameSync, unlinkSync, writeSync } from 'node:fs';
import type { Operation } from '../protocol.ts';
import { type Names, namesOf } from './names.ts';
import { keepInSight } from './put-back.ts';
import { Refused, reasonOf } from './refused.ts';
import { lookAt, withFile } from './regular-file.ts';

/** More than this is not copied while slurmstepd waits: some seconds' worth. */
const MOST_BYTES = 1024n ** 3n;
/** What slurmstepd itself has to say before the script starts. */
const MOST_WORDS = 64n * 1024n;
const CHUNK = Buffer.alloc(1024 * 1024);

/**
 * For a job that begins anew after its output was put aside. Slurmstepd has a new file open; what the job wrote
 * before comes in front of what it writes there, or where that cannot be, stays beside it. An output that others have
 * open stays the file that it was: then it is what this job writes that goes beside it.
 */
export function mergeBack({ tag, outputs, waiting }: Extract<Operation, { op: 'merge-back' }>): string[] {
  return namesOf(outputs, tag).flatMap((names) => {
    try {
      takeBack(names);
      return lookAt(names.aside) ? merge(names, waiting) : [];
    } catch (error) {
      if (error instanceof Refused) throw error;
      throw new Refused(`${names.path} cannot be put back: ${reasonOf(error)}`, { cause: error });
    }
  });
}

/** Slurmstepd's file back to its place, where `put-back` was before. */
function takeBack({ path, aside, made }: Names): void {
  if (!lookAt(made)) return;
  if (lookAt(path) && !lookAt(aside)) renameSync(path, aside);
  renameSync(made, path);
}

function merge({ path, shared, aside, beside }: Names, waiting: boolean): string[] {
  const place = lookAt(path);
  if (!place) {
    renameSync(aside, path);
    return [];
  }
  if (shared) {
    const own = keepInSight(path, beside);
    renameSync(aside, path);
    return [`other jobs go on with ${path}: what this one writes from now on is in ${own}`];
  }
  const kept = lookAt(aside);
  const most = waiting ? MOST_WORDS : 0n;
  if (kept?.isFile() && kept.size <= MOST_BYTES && place.isFile() && place.size <= most) {
    copyBefore(aside, path);
    unlinkSync(aside);
    return [];
  }
  return [`the output of ${path} up to here is in ${keepInSight(aside, beside)}`];
}

/**
 * Puts what is in `from` before what is in `to`, which others may write to at the end: appends first, and then
 * changes places within what is known.
 */
function copyBefore(from: string, to: string): void {
  withFile(from, constants.O_RDONLY, (source, { size }) =>
    withFile(to, constants.O_RDWR | constants.O_APPEND, (target, { size: begun }) => {
      const words = Buffer.alloc(Number(begun));
      readSync(target, words, 0, words.length, 0);
      copy(source, target, null);
      if (words.length > 0 && fstatSync(target, { bigint: true }).size === size + begun) {
        withFile(to, constants.O_WRONLY, (placed) => {
          copy(source, placed, 0);
          writeAll(placed, words, Number(size));
        });
      }
      fsyncSync(target);
    }),
  );
}

/** `at`: where in the target; null for its end. */
function copy(source: number, target: number, at: number | null): void {
  let done = 0;
  for (let count = readSync(source, CHUNK, 0, CHUNK.length, 0); count > 0; ) {
    writeAll(target, CHUNK.subarray(0, count), at === null ? null : at + done);
    done += count;
    count = readSync(source, CHUNK, 0, CHUNK.length, done);
  }
}

function writeAll(target: number, bytes: Buffer, at: number | null): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(target, bytes, done, bytes.length - done, at === null ? null : at + done);
  }
}
