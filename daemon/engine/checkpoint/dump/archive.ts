import { lstat, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Lanes } from '../../../system/lanes.ts';
import type { Exec } from '../../../system/ports.ts';
import type { JobId } from '../../../vocabulary/job.ts';
import { scratchOf } from '../../config/scratch.ts';
import { runAsOwner } from '../../owner/as-owner-command.ts';
import type { Process } from '../../proc/process.ts';
import { freeIn, SPARE_BYTES, type Staging } from './staging.ts';

export interface Archiver {
  readonly exec: Exec;
  readonly lanes: Lanes;
  /** As engine.yaml has them: folders whose files are carried where they are the owner's. */
  readonly scratch: readonly string[];
}

export type Archived =
  /** `carried`: absolute, as many as were asked for; `warning`: what tar had to say of files that changed. */
  | { readonly ok: true; readonly carried: readonly string[]; readonly warning: string | null }
  | { readonly ok: false; readonly message: string };

export interface Archiving {
  readonly jobId: JobId;
  /** Absolute; what of them is to be carried besides the scratch folders. */
  readonly paths: readonly string[];
}

const TRIES = 3;
const MOST_LIST_BYTES = 64 * 1024 * 1024;
const MOST_PATHS = 200_000;

/**
 * Packs files of this node into the staging folder's archive, everything read with the rights of the job's owner
 * and no others: what has been put under a name meanwhile is at worst another file of theirs. Members are named
 * relative to `/`, no folder with what is below it: each entry is one of `carried`.
 */
export async function archiveFiles(
  archiver: Archiver,
  owner: Process,
  staging: Staging,
  archiving: Archiving,
): Promise<Archived> {
  const most = Math.max(0, (await freeIn(staging.dir)) - SPARE_BYTES);
  for (let tries = 1; ; tries++) {
    const archived = await archiveOnce(archiver, owner, staging, { ...archiving, most });
    // Another job of the owner's may have cleared something away between the search and the packing.
    if (archived.ok || archiver.scratch.length === 0 || tries === TRIES) return archived;
  }
}

async function archiveOnce(
  archiver: Archiver,
  owner: Process,
  staging: Staging,
  { jobId, paths, most }: Archiving & { readonly most: number },
): Promise<Archived> {
  const found = await findScratch(archiver, owner, staging, jobId);
  if (!Array.isArray(found)) return found;
  const carried = [...new Set([...(await foldersAbove(owner, paths)), ...paths, ...found])];
  if (carried.length > MOST_PATHS)
    return { ok: false, message: `more than ${MOST_PATHS} node-local files are to be carried` };
  const list = join(staging.work, 'carry');
  await writeFile(list, carried.map((path) => `${path.replace(/^\/+/, './')}\0`).join(''), { mode: 0o600 });
  const tar = [
    '/usr/bin/tar',
    '--create',
    '--file=-',
    '--directory=/',
    '--no-recursion',
    '--sparse',
    '--numeric-owner',
    '--null',
    '--verbatim-files-from',
    '--files-from=-',
  ];
  const result = await runAsOwner(archiver, owner, staging.work, tar, {
    input: list,
    output: staging.archive,
    most,
  });
  const said = (await readFile(join(staging.work, 'archive.log'), 'latin1').catch(() => '')).replace(
    /[^ -~]/g,
    ' ',
  );
  // 1: a file changed while it was read, or went away. The frozen job did not do that.
  if (result.ok) return { ok: true, carried, warning: null };
  if (result.why === 'exit' && result.exitCode === 1)
    return { ok: true, carried, warning: said.slice(0, 500) };
  const tooBig = (await sizeOf(staging.archive)) >= most;
  const why = tooBig
    ? `they do not fit on this node's disk beside what has to stay free`
    : `${result.message}: ${said.slice(-500)}`;
  return { ok: false, message: `the node-local files cannot be packed: ${why}` };
}

/** What the owner has in the scratch folders, without leaving their file systems, as the owner sees it. */
async function findScratch(
  archiver: Archiver,
  owner: Process,
  staging: Staging,
  jobId: JobId,
): Promise<string[] | Extract<Archived, { ok: false }>> {
  if (archiver.scratch.length === 0) return [];
  const output = join(staging.work, 'scratch');
  const find = [
    '/usr/bin/find',
    ...scratchOf(archiver.scratch, jobId),
    '-xdev',
    '-user',
    String(owner.uids[0]),
    ...['(', '-type', 'f', '-o', '-type', 'd', '-o', '-type', 'l', ')'],
    '-print0',
  ];
  // Folders of others that the owner may not read make find fail, and do not matter.
  const most = MOST_LIST_BYTES;
  const result = await runAsOwner(archiver, owner, staging.work, find, { input: '/dev/null', output, most });
  if ((await sizeOf(output)) >= most)
    return { ok: false, message: 'the scratch folders hold too many files' };
  if (!result.ok && result.why !== 'exit')
    return { ok: false, message: `the scratch folders cannot be searched: ${result.message}` };
  const list = await readFile(output);
  const paths = list.toString('utf8').split('\0').slice(0, -1);
  const bad = paths.find((path) => path.includes('\ufffd') || path.length > 4096);
  if (bad !== undefined)
    return {
      ok: false,
      message: `${JSON.stringify(bad.slice(0, 200))} in a scratch folder: its name is not UTF-8`,
    };
  // A folder of all jobs is there on every node; one of this job's own may not be.
  return paths.filter((path) => !archiver.scratch.includes(path));
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path)).size;
}

/**
 * The folders on the way to these paths that are the owner's, outermost first: tar would make them otherwise, with a
 * mode of its own. What this finds is packed with the owner's rights, so nothing hangs on it.
 */
async function foldersAbove(owner: Process, paths: readonly string[]): Promise<string[]> {
  const above = new Set<string>();
  for (const path of paths)
    for (let folder = dirname(path); folder !== '/' && !above.has(folder); folder = dirname(folder))
      above.add(folder);
  const own: string[] = [];
  for (const folder of above) {
    const there = await lstat(folder).catch(() => null);
    if (there?.isDirectory() && there.uid === owner.uids[0]) own.push(folder);
  }
  return own.sort((a, b) => a.length - b.length);
}
