import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { membersNow } from '../../proc/process-sync.ts';
import type { JobTree } from '../../proc/tree.ts';
import type { LocalFile } from './opened-files.ts';

/**
 * Those of the open node-local files that are the owner's to carry: what the job writes, and what it reads, runs
 * or stands in where that is the owner's own (programs and libraries of the system are on every node).
 * Looked at through /proc/<pid>, which leads to the very file whatever has been put under its name since.
 */
export async function nodeLocalFiles(
  proc: string,
  tree: JobTree,
  files: readonly LocalFile[],
): Promise<readonly LocalFile[]> {
  // As of most jobs: who is in the cgroup need not be read then.
  if (files.length === 0) return [];
  const uid = tree.root.uids[0]!;
  const depth = tree.root.nsPids.length;
  // Not those of the tree, which is older than the record: the job is frozen, and may have forked before.
  const members = [...(await membersNow(proc, tree.folder)).values()];
  const outside = new Map(members.map(({ pid, nsPids }) => [nsPids[depth - 1], pid]));
  const own: LocalFile[] = [];
  for (const file of files) {
    const pid = outside.get(file.pid);
    const there = pid === undefined ? null : await held(join(proc, String(pid), file.place));
    const isSame = there?.ino === BigInt(file.ino) && there.dev === BigInt(file.dev);
    if (file.written || (isSame && there.uid === BigInt(uid))) own.push(file);
  }
  return own;
}

/** Null once the process has ended or closed it. */
async function held(path: string) {
  return stat(path, { bigint: true }).catch(() => null);
}
