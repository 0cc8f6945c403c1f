import { renameSync } from 'node:fs';
import type { Operation } from '../protocol.ts';
import { type Names, namesOf } from './names.ts';
import { Refused, reasonOf } from './refused.ts';
import { lookAt } from './regular-file.ts';

/**
 * Renames the outputs, so that slurmstepd, which truncates what it finds, makes others. A link is put aside as
 * a link. Devices and FIFOs cannot be truncated and stay; so does what is not there. Done again, it does nothing.
 */
export function setAside({ tag, outputs }: Extract<Operation, { op: 'set-aside' }>): string[] {
  const all = namesOf(outputs, tag).filter(isToMove);
  const moved: Names[] = [];
  for (const names of all) {
    try {
      renameSync(names.path, names.aside);
      moved.push(names);
    } catch (error) {
      for (const { path, aside } of moved) renameSync(aside, path);
      throw new Refused(`${names.path} cannot be put aside: ${reasonOf(error)}`, { cause: error });
    }
  }
  return [];
}

function isToMove({ path, ino, aside }: Names): boolean {
  const before = lookAt(aside);
  if (before) {
    if (ino === null || (before.isFile() && String(before.ino) === ino)) return false;
    throw new Refused(`${aside} is in the way, and is not the job's output`);
  }
  const there = lookAt(path);
  if (ino === null) return there !== null && (there.isFile() || there.isSymbolicLink());
  if (!there) throw new Refused(`${path}, the job's output, is gone`);
  if (!there.isFile()) throw new Refused(`${path}, the job's output, is no regular file any more`);
  if (String(there.ino) !== ino)
    throw new Refused(`${path} is another file than the one that the job had open`);
  return true;
}
