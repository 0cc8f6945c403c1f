import { type BigIntStats, constants, ftruncateSync } from 'node:fs';
import type { Operation, Rollback } from './protocol.ts';
import { Refused, reasonOf } from './refused.ts';
import { withFile } from './regular-file.ts';

/** Cuts files to the lengths that they had when the job was dumped: all of them, or where one does not fit, none. */
export function rollBack({ files, change }: Extract<Operation, { op: 'roll-back' }>): string[] {
  // Closed in between: there may be more of them than a process may have open.
  for (const file of files) withFile(file.path, constants.O_WRONLY, (_, stats) => check(file, stats));
  if (!change) return [];
  for (const file of files) {
    withFile(file.path, constants.O_WRONLY, (fd, stats) => {
      check(file, stats);
      if (stats.size > BigInt(file.size)) cut(fd, file);
    });
  }
  return [];
}

function check({ path, ino, size }: Rollback, stats: BigIntStats): void {
  if (String(stats.ino) !== ino)
    throw new Refused(`${path} is another file than the one that the job had open`);
  if (stats.size < BigInt(size)) {
    throw new Refused(`${path} has ${stats.size} bytes, and had ${size} when the checkpoint was taken`);
  }
}

function cut(fd: number, { path, size }: Rollback): void {
  try {
    ftruncateSync(fd, size);
  } catch (error) {
    throw new Refused(`${path} cannot be cut to ${size} bytes: ${reasonOf(error)}`, { cause: error });
  }
}
