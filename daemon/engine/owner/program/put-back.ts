import { linkSync, renameSync, unlinkSync } from 'node:fs';
import type { Operation } from '../protocol.ts';
import { type Names, namesOf } from './names.ts';
import { Refused, reasonOf } from './refused.ts';
import { lookAt } from './regular-file.ts';

/**
 * Gives the outputs their places again. What slurmstepd made there is kept under a name of its own: it has that
 * open, and should the job begin anew after all, that is where it writes. Done again, it does nothing.
 */
export function putBack({ tag, outputs, left }: Extract<Operation, { op: 'put-back' }>): string[] {
  const all = namesOf(outputs, tag).filter((names) => isAside(names, left));
  return all.flatMap((names) => {
    try {
      return left ? backOver(names) : backBeside(names);
    } catch (error) {
      throw new Refused(`${names.path} cannot be put back: ${reasonOf(error)}`, { cause: error });
    }
  });
}

function isAside({ path, ino, aside }: Names, left: boolean): boolean {
  const kept = lookAt(aside);
  if (!kept) {
    if (left || ino === null || String(lookAt(path)?.ino) === ino) return false;
    throw new Refused(`${path}, the job's output, is gone: it was put aside as ${aside}`);
  }
  if (ino !== null && String(kept.ino) !== ino)
    throw new Refused(`${aside} is another file than the one that was put aside there`);
  return true;
}

function backBeside({ path, aside, made }: Names): string[] {
  if (lookAt(path)) renameSync(path, made);
  renameSync(aside, path);
  return [];
}

/** Nobody has open what is in the output's place. Slurm's own words may be in it, or the output of a run. */
function backOver({ path, aside, made, beside }: Names): string[] {
  const stranger = lookAt(path);
  const notes: string[] = [];
  if (stranger && !(stranger.isFile() && stranger.size === 0n)) {
    notes.push(`what was in the place of ${path} is now ${keepInSight(path, beside)}`);
  }
  renameSync(aside, path);
  if (lookAt(made)) unlinkSync(made);
  return notes;
}

/** Renames without replacing anything. */
export function keepInSight(from: string, beside: string): string {
  for (let count = 0; ; count++) {
    const to = count === 0 ? beside : `${beside}.${count}`;
    try {
      linkSync(from, to);
      unlinkSync(from);
      return to;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST' && count < 100) continue;
      // A file system without hard links.
      if (lookAt(to)) throw error;
      renameSync(from, to);
      return to;
    }
  }
}
