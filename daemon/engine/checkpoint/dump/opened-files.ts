import { constants } from 'node:fs';
import type { Manifest } from '../../manifest.ts';
import { type Access, accessOf, processOf } from '../../proc/kernel-file.ts';
import { deviceNumber, type ReachOf } from './file-systems.ts';
import { type RecordEntry, readRecord } from './record.ts';
import { TransientError } from './transient-error.ts';

/** What a dump's record says that a restore has to see to. */
export interface OpenedFiles {
  /** On shared file systems and open for writing: rolled back to the size of that moment. */
  readonly rollBack: Manifest['files'];
  /** On this node alone, each path once. */
  readonly local: readonly LocalFile[];
  /** What a restore opens by its path, and what for: entries of `ckptd-criu may-restore` (hooks/criu/may-restore.h). */
  readonly reopened: ReadonlySet<string>;
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

const MOST_REOPENED = 1_000_000;
/** As many as a manifest takes. */
const MOST_FILES = 200_000;

/** Reads the record of a frozen tree. Rejects with the reason where a file cannot be seen to. */
export async function openedFiles(record: string, reachOf: ReachOf): Promise<OpenedFiles> {
  const rollBack = new Map<string, Manifest['files'][number]>();
  const local = new Map<string, LocalFile>();
  const sized = new Set<string>();
  const processes = new Set<number>();
  const ofProcesses: RecordEntry[] = [];
  const reopened = new Set<string>();
  await readRecord(record, (entry) => {
    processes.add(entry.pid);
    if (entry.deleted || !holdsContent(entry)) return;
    const reach = reachOf(entry.dev, entry.path);
    const access = entry.kind === 'fd' ? accessOf(entry.flags) : 'path';
    const written = access === 'write' || access === 'both';
    // A file of one of the job's processes: that one is not there before the restore.
    const isOfProcess = reach === 'kernel' && entry.path !== null && processOf(entry.path) !== null;
    if (!isOfProcess && reach !== 'pseudo' && entry.path !== null)
      reopened.add(`${howReopened(entry)} ${entry.path}`);
    if (reopened.size > MOST_REOPENED)
      throw new Error(`the job has more than ${MOST_REOPENED} files open or mapped`);
    if (reach === 'kernel') {
      ofProcesses.push(entry);
      return;
    }
    if (reach === 'shared' && holdsToSize(entry)) sized.add(keyOf(entry));
    if (reach === 'pseudo' || (reach === 'shared' && !written)) return;
    const path = nameOf(entry);
    const [dev, ino] = [deviceNumber(entry.dev), entry.ino];
    if (reach === 'shared') {
      const key = keyOf(entry);
      const append = (entry.flags & constants.O_APPEND) !== 0 && (rollBack.get(key)?.append ?? true);
      rollBack.set(key, { path, ino, dev, size: entry.size, append });
    } else if (written ? !local.get(path)?.written : !local.has(path)) {
      local.set(path, { path, dev, ino, written, pid: entry.pid, place: entry.place });
    }
    if (rollBack.size + local.size > MOST_FILES)
      throw new Error(`the job has more than ${MOST_FILES} files open`);
  });
  for (const entry of ofProcesses) mustBeOfTheJob(entry, processes);
  const files = [...rollBack].map(([key, file]) => ({ ...file, sized: sized.has(key) }));
  return { rollBack: files, local: [...local.values()], reopened };
}

/** By inode: two names may be of one file. */
const keyOf = ({ dev, ino }: RecordEntry): string => `${deviceNumber(dev)}:${ino}`;

/** Whether CRIU takes the file back by this only at the size of the dump (`should_check_size` in its files-reg.c). */
function holdsToSize({ kind, flags }: RecordEntry): boolean {
  const isAppendOnly = accessOf(flags) === 'write' && (flags & constants.O_APPEND) !== 0;
  return kind !== 'fd' || !isAppendOnly;
}

const HOW: Record<Access, string> = { read: 'read', write: 'write', both: 'both', path: 'reach' };

function howReopened({ kind, flags }: RecordEntry): string {
  if (kind === 'fd') return HOW[accessOf(flags)];
  return kind === 'cwd' || kind === 'root' ? 'pass' : 'read';
}

/** On the next node the job is alone in its pid namespace, but for pid 1. */
function mustBeOfTheJob({ path }: RecordEntry, processes: ReadonlySet<number>): void {
  const pid = path === null ? null : processOf(path);
  if (pid !== null && pid !== 1 && !processes.has(pid))
    throw new TransientError(
      `the job was looking at a process of somebody else's (${JSON.stringify(path)}), which is on this node alone`,
    );
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
