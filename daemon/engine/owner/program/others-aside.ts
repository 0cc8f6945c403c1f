import { readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Operation } from '../protocol.ts';
import { Busy } from './refused.ts';
import { lookAt } from './regular-file.ts';

/** As `namesOf` makes them. */
const HIDDEN = /^\.(.+)\.ckptd-(\d{1,10})\.\d{1,10}(\.new)?$/s;

/**
 * Nothing, where no other job is on its way back with one of the files: until that has its output again and CRIU has
 * opened it, what is at the path is not what it was. @throws Busy
 */
export function othersAside({ tag, files }: Extract<Operation, { op: 'others-aside' }>): string[] {
  for (const [folder, inos] of byFolder(files)) {
    for (const name of namesIn(folder)) {
      const [, of = '', jobId, isMade] = HIDDEN.exec(name) ?? [];
      const ino = inos.get(of);
      if (ino === undefined || tag.startsWith(`ckptd-${jobId}.`)) continue;
      const hidden = join(folder, name);
      const there = lookAt(hidden);
      if (there && (isMade || String(there.ino) === ino))
        throw new Busy(`job ${jobId} is on its way back with ${join(folder, of)}, and has ${hidden} there`);
    }
  }
  return [];
}

function byFolder(
  files: Extract<Operation, { op: 'others-aside' }>['files'],
): Map<string, Map<string, string>> {
  const folders = new Map<string, Map<string, string>>();
  for (const { path, ino } of files) {
    const inos = folders.get(dirname(path)) ?? new Map<string, string>();
    folders.set(dirname(path), inos.set(basename(path), ino));
  }
  return folders;
}

/** What cannot be read is somebody else's to complain of. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
