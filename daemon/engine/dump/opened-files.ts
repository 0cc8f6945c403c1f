import { constants } from 'node:fs';
import type { Manifest } from '../manifest.ts';
import { deviceNumber, type ReachOf } from './file-systems.ts';
import { type RecordEntry, readRecord } from './record.ts';

/** What a dump's record says that a restore has to see to. */
export interface OpenedFiles {
  /** On shared file systems and open for writing: rolled back to the size of that moment. */
  readonly rollBack: Manifest['files'];
  /** On this node alone, each path once. */
  readonly local: readonly LocalFile[];
}

export interface LocalFile {
  readonly path: string;
  readonly dev: string;
  readonly ino: string;
  readonly written: boolean;
  /** Where a process holds it: below /proc, by pids of the job's pid namespace. */
  readonly pid: number;
  readonly place: string;
}

/** As many as a manifest takes. */
const MOST_FILES = 200_000;

/** Reads the record of a frozen tree. Rejects with the reason where a file cannot be seen to. */
export async function openedFiles(record: string, reachOf: ReachOf): Promise<OpenedFiles> {
  const rollBack = new Map<string, Manifest['files'][number]>();
  const local = new Map<string, LocalFile>();
  await readRecord(record, (entry) => {
    if (entry.deleted || !holdsContent(entry)) return;
    const reach = reachOf(entry.dev, entry.path);
    const written = entry.kind === 'fd' && (entry.flags & (constants.O_WRONLY | constants.O_RDWR)) !== 0;
    if (reach === 'pseudo' || (reach === 'shared' && !written)) return;
    const path = nameOf(entry);
    const [dev, ino] = [deviceNumber(entry.dev), entry.ino];
    if (reach === 'shared') {
      const key = `${dev}:${ino}`;
      const append = (entry.flags & constants.O_APPEND) !== 0 && (rollBack.get(key)?.append ?? true);
      rollBack.set(key, { path, ino, dev, size: entry.size, append });
    } else if (written ? !local.get(path)?.written : !local.has(path)) {
      local.set(path, { path, dev, ino, written, pid: entry.pid, place: entry.place });
    }
    if (rollBack.size + local.size > MOST_FILES)
      throw new Error(`the job has more than ${MOST_FILES} files open`);
  });
  return { rollBack: [...rollBack.values()], local: [...local.values()] };
}

/** Regular files, and the folders that a process is in or holds: pipes, sockets and devices hold nothing. */
function holdsContent({ mode, path }: RecordEntry): boolean {
  const type = mode & constants.S_IFMT;
  const isNamed = path === null || path.startsWith('/');
  return isNamed && (type === constants.S_IFREG || type === constants.S_IFDIR);
}

function nameOf({ path, pid, place }: RecordEntry): string {
  if (path === null || path.length > 4096)
    throw new Error(`the name of ${place} of process ${pid} is not UTF-8: the file could not be put back`);
  return path;
}
