import { type BigIntStats, constants, ftruncateSync } from 'node:fs';
import type { Operation, Rollback } from '../protocol.ts';
import { keepBeyond, MOST_KEPT, mustHaveRoom } from './keep-beyond.ts';
import { Refused, reasonOf } from './refused.ts';
import { withFile } from './regular-file.ts';

/**
 * Cuts files to the lengths that they had when the job was dumped: all of them, or where one does not fit, none. What
 * others may have appended since is kept beside the file, and said; where it is theirs for certain, or perhaps and they
 * go on from there, the file stays as it is.
 */
export function rollBack({ files, tag, change }: Extract<Operation, { op: 'roll-back' }>): string[] {
  let kept = 0n;
  // Closed in between: there may be more of them than a process may have open.
  for (const file of files) {
    withFile(file.path, constants.O_WRONLY, (_, stats) => {
      check(file, stats);
      const bytes = file.shared && !file.whole ? stats.size - BigInt(file.size) : 0n;
      if (bytes > 0n) mustHaveRoom(file.path, bytes);
      kept += bytes;
      if (kept > MOST_KEPT)
        throw new Refused(
          `${file.path} got ${bytes} bytes since the checkpoint, which others may have written: no more than ${MOST_KEPT} of a job are kept. Move them elsewhere and cut it to ${file.size} bytes`,
        );
    });
  }
  return change ? files.flatMap((file) => goBack(file, tag)) : [];
}

function goBack(file: Rollback, tag: string): string[] {
  return withFile(
    file.path,
    file.shared && !file.whole ? constants.O_RDWR : constants.O_WRONLY,
    (fd, stats) => {
      check(file, stats);
      const { path, size, shared, whole } = file;
      const beyond = stats.size - BigInt(size);
      if (beyond < 0n)
        return [
          `${path} has ${stats.size} bytes, and had ${size} when the checkpoint was taken: it was cut since`,
        ];
      if (beyond === 0n || whole === 'others') return [];
      if (whole)
        return [
          `${path} stays as it is, since other jobs go on with it: of its last ${beyond} bytes, lines of this job may come twice`,
        ];
      try {
        if (!shared) {
          ftruncateSync(fd, size);
          return [];
        }
        const at = { size, mode: Number(stats.mode) };
        const name = keepBeyond(fd, at, `${path}.${tag}`, () => ftruncateSync(fd, size));
        return [`${beyond} bytes that were appended to ${path} since the checkpoint are in ${name}`];
      } catch (error) {
        throw new Refused(`${path} cannot be cut to ${size} bytes: ${reasonOf(error)}`, { cause: error });
      }
    },
  );
}

/** What is only appended to goes on at its end, wherever that is. */
function check({ path, ino, size, shared, sized = false }: Rollback, stats: BigIntStats): void {
  if (String(stats.ino) !== ino)
    throw new Refused(`${path} is another file than the one that the job had open`);
  if ((!shared || sized) && stats.size < BigInt(size)) {
    throw new Refused(`${path} has ${stats.size} bytes, and had ${size} when the checkpoint was taken`);
  }
}
