import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Lanes } from '../../system/lanes.ts';
import type { CommandResult, Exec } from '../../system/ports.ts';
import type { Millis } from '../../vocabulary/job.ts';
import type { Process } from '../job/process.ts';
import type { Staging } from './staging.ts';

export interface Archiver {
  readonly exec: Exec;
  readonly lanes: Lanes;
  /** Folders whose files are carried where they are the owner's. */
  readonly scratch: readonly string[];
}

export type Archived =
  /** `carried`: absolute, as many as were asked for; `warning`: what tar had to say of files that changed. */
  | { readonly ok: true; readonly carried: readonly string[]; readonly warning: string | null }
  | { readonly ok: false; readonly message: string };

/** The job is frozen meanwhile. */
const TIMEOUT_MS: Millis = 30 * 60_000;
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
  paths: readonly string[],
): Promise<Archived> {
  for (let tries = 1; ; tries++) {
    const archived = await archiveOnce(archiver, owner, staging, paths);
    // Another job of the owner's may have cleared something away between the search and the packing.
    if (archived.ok || archiver.scratch.length === 0 || tries === TRIES) return archived;
  }
}

async function archiveOnce(
  archiver: Archiver,
  owner: Process,
  staging: Staging,
  paths: readonly string[],
): Promise<Archived> {
  const found = await findScratch(archiver, owner, staging);
  if (!Array.isArray(found)) return found;
  const carried = [...new Set([...paths, ...found])];
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
  const result = await asOwner(archiver, owner, staging, tar, { input: list, output: staging.archive });
  const said = (await readFile(join(staging.work, 'archive.log'), 'latin1').catch(() => '')).replace(
    /[^ -~]/g,
    ' ',
  );
  // 1: a file changed while it was read, or went away. The frozen job did not do that.
  if (result.ok) return { ok: true, carried, warning: null };
  if (result.why === 'exit' && result.exitCode === 1)
    return { ok: true, carried, warning: said.slice(0, 500) };
  return {
    ok: false,
    message: `the node-local files cannot be packed: ${result.message}: ${said.slice(-500)}`,
  };
}

/** What the owner has in the scratch folders, without leaving their file systems, as the owner sees it. */
async function findScratch(
  archiver: Archiver,
  owner: Process,
  staging: Staging,
): Promise<string[] | Extract<Archived, { ok: false }>> {
  if (archiver.scratch.length === 0) return [];
  const output = join(staging.work, 'scratch');
  const find = [
    '/usr/bin/find',
    ...archiver.scratch,
    '-xdev',
    '-user',
    String(owner.uids[0]),
    ...['(', '-type', 'f', '-o', '-type', 'd', '-o', '-type', 'l', ')'],
    '-print0',
  ];
  // Folders of others that the owner may not read make find fail, and do not matter.
  const result = await asOwner(archiver, owner, staging, find, { input: '/dev/null', output });
  if (!result.ok && result.why !== 'exit')
    return { ok: false, message: `the scratch folders cannot be searched: ${result.message}` };
  const list = await readFile(output);
  if (list.length > MOST_LIST_BYTES) return { ok: false, message: 'the scratch folders hold too many files' };
  const paths = list.toString('utf8').split('\0').slice(0, -1);
  const bad = paths.find((path) => path.includes('\ufffd') || path.length > 4096);
  if (bad !== undefined)
    return {
      ok: false,
      message: `${JSON.stringify(bad.slice(0, 200))} in a scratch folder: its name is not UTF-8`,
    };
  return paths.filter((path) => !archiver.scratch.includes(path));
}

/** Files of root's are opened before the rights are given up: the owner gets them as standard input and output. */
const SCRIPT = 'in=$1 out=$2 log=$3; shift 3; exec "$@" <"$in" >"$out" 2>"$log"';

function asOwner(
  { exec, lanes }: Archiver,
  owner: Process,
  staging: Staging,
  argv: readonly string[],
  { input, output }: { readonly input: string; readonly output: string },
): Promise<CommandResult> {
  const groups = owner.groups.length > 0 ? [`--groups=${owner.groups.join(',')}`] : ['--clear-groups'];
  const become = [
    '/usr/bin/setpriv',
    `--reuid=${owner.uids[0]}`,
    `--regid=${owner.gid}`,
    ...groups,
    '--no-new-privs',
    '--inh-caps=-all',
    '--',
  ];
  const log = join(staging.work, 'archive.log');
  return lanes.with((lane) =>
    exec.run({
      kind: `archive-${lane}`,
      file: '/bin/sh',
      args: ['-c', `umask 077; ${SCRIPT}`, 'sh', input, output, log, ...become, ...argv],
      timeoutMs: TIMEOUT_MS,
    }),
  );
}
