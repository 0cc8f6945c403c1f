import { chown, lchown, readdir, readFile, rename } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { BoundedMap } from '../../../system/bounded-map.ts';
import type { Lanes } from '../../../system/lanes.ts';
import type { Clock, Exec } from '../../../system/ports.ts';
import type { Millis } from '../../../vocabulary/job.ts';
import { DUMP_LOG, dumpArguments } from '../../criu/arguments.ts';
import { takeOverGhosts } from '../../criu/images/ghosts.ts';
import { rearmTimerfdsIn } from '../../criu/images/timerfds.ts';
import { criuErrorsIn } from '../../criu/log-errors.ts';
import { parseDumpStats } from '../../criu/stats.ts';
import { CRIU_ENV } from '../../criu/version.ts';
import { mayEnter } from '../../proc/namespaces.ts';
import type { JobTree } from '../../proc/tree.ts';
import { ptraceScope } from '../../proc/yama.ts';
import { runDetached } from './detached.ts';
import type { Staging } from './staging.ts';

export interface Dumper {
  readonly exec: Exec;
  readonly clock: Clock;
  /** `/proc`. */
  readonly proc: string;
  readonly criu: string;
  /** ckptd-criu. */
  readonly helper: string;
  readonly lanes: Lanes;
  /** Jobs whose files root may not reach, by their first process: these are dumped with their owner's rights at once. */
  readonly rootRefused: BoundedMap<string, true>;
}

export type Dumped =
  | { readonly ok: true; readonly frozenMs: number }
  | { readonly ok: false; readonly message: string };

/** As slow as a disk may be, and what else a dump may take before somebody is told. */
const BYTES_PER_SECOND = 20 * 1024 * 1024;
const AT_LEAST_MS: Millis = 5 * 60_000;
/**
 * About as long as a timer of Node's can be. A CRIU that is killed leaves its own code in the job, which may be the end
 * of the job; a file system that hangs, and CRIU with it, comes back.
 */
const NO_END_MS: Millis = 24 * 24 * 3_600_000;

export interface Dumping {
  /** Leave the processes stopped. */
  readonly stop: boolean;
  /** Called when it takes longer than it should, again and again, with how long it has taken. */
  readonly late: (ms: Millis) => void;
}

/**
 * Dumps the processes into the staging folder and records their open files, all of them frozen meanwhile. Afterwards
 * they run on, or with `stop` are left stopped. A failure is told in CRIU's own words; CRIU has let the processes
 * run on then, unless it was killed (see `wake`). Not to be aborted, and without a time-out: CRIU sits in the processes'
 * memory.
 */
export async function dump(
  dumper: Dumper,
  tree: JobTree,
  staging: Staging,
  { stop, late }: Dumping,
): Promise<Dumped> {
  const job = `${tree.root.pid} ${tree.root.startTime}`;
  let refused = '';
  if (!dumper.rootRefused.get(job)) {
    const why = await dumpAs('root', dumper, tree, staging, { stop, late });
    if (why === null) return whatWasDumped(tree, staging);
    if (!REFUSED.test(why)) return { ok: false, message: why };
    refused = `${why}; with the rights of its owner: `;
    await staging.empty();
  }
  const why = await dumpAs('owner', dumper, tree, staging, { stop, late });
  if (why !== null) return { ok: false, message: `${refused}${why}` };
  dumper.rootRefused.set(job, true);
  return whatWasDumped(tree, staging);
}

/** EACCES: what root meets in a home on an export with root_squash, or in a FUSE file system of a user's. */
const REFUSED = /Permission denied/;

/**
 * Root sees most: watches of inotify, and processes that their owner may not trace. Files that only their owner may reach take
 * their owner's rights. Null, or why there is no dump.
 */
async function dumpAs(
  who: 'root' | 'owner',
  dumper: Dumper,
  tree: JobTree,
  staging: Staging,
  { stop, late }: Dumping,
): Promise<string | null> {
  const { uids, gid, nsPids } = tree.root;
  const asOwner = who === 'owner';
  const argv = dumpArguments({
    criu: dumper.criu,
    root: nsPids.at(-1)!,
    images: asOwner ? IMAGES_FOLDER : staging.images,
    work: asOwner ? null : staging.work,
    actionScript: dumper.helper,
    unprivileged: asOwner,
    stop,
  });
  const said = join(staging.work, 'run.log');
  if (asOwner) await chown(staging.images, uids[0]!, gid);
  const record = asOwner ? RECORD : staging.record;
  const result = await dumper.lanes.with(async (lane) => {
    if (!(await isRoots(dumper, tree))) return null;
    const command = {
      kind: `criu-dump-${lane}`,
      file: dumper.helper,
      args: [...helperArguments(tree), ...(asOwner ? rightsOf(dumper, tree, staging) : []), '--', ...argv],
      env: { ...CRIU_ENV, CKPTD_RECORD: record, CKPTD_ROOT: String(nsPids.at(-1)) },
      timeoutMs: NO_END_MS,
    };
    return telling(dumper.clock, dumpTime(tree), late, () => runDetached(dumper.exec, command, said));
  });
  if (asOwner) await takeBack(staging);
  if (result === null) return NOT_ROOTS;
  return result.ok ? null : await reason(staging, said, result.message);
}

/** hooks/criu/criu-child.h: the folder of the images, which the owner has no path to. */
const IMAGES_FOLDER = '/proc/self/fd/9';
const RECORD = 'record';
const STATISTICS = 'stats-dump';

function rightsOf({ proc }: Dumper, { root: { groups } }: JobTree, { images }: Staging): string[] {
  // CRIU traces processes that are not below it.
  const capabilities = ['checkpoint_restore', ...(ptraceScope(proc) === 1 ? ['sys_ptrace'] : [])];
  return ['--groups', groups.join(' '), '--capabilities', capabilities.join(), '--images', images];
}

/**
 * What the owner's CRIU has written becomes root's, and what is no image goes where it belongs. Nobody but that CRIU, which
 * its owner cannot trace, came to the folder.
 */
async function takeBack({ images, work, record }: Staging): Promise<void> {
  await chown(images, 0, 0);
  for (const name of await readdir(images)) await lchown(join(images, name), 0, 0);
  for (const [name, place] of [
    [RECORD, record],
    ...[DUMP_LOG, STATISTICS].map((file) => [file, join(work, file)] as const),
  ])
    await rename(join(images, name), place).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
}

async function whatWasDumped({ root }: JobTree, staging: Staging): Promise<Dumped> {
  const owner = { uid: root.uids[0]!, gid: root.gid, groups: root.groups };
  try {
    await rearmTimerfdsIn(join(staging.images, 'files.img'));
    await takeOverGhosts(staging.images, owner, basename(staging.dir));
  } catch (error) {
    return { ok: false, message: `CRIU's images cannot be read: ${(error as Error).message}` };
  }
  const stats = parseDumpStats(await readStats(staging));
  if (!stats) return { ok: false, message: 'CRIU left no statistics that can be read' };
  return { ok: true, frozenMs: (stats.freezingUs + stats.frozenUs) / 1000 };
}

/** Records the open files of a tree that is frozen already, without a dump. Null, or why it could not be done. */
export async function recordFiles(dumper: Dumper, tree: JobTree, staging: Staging): Promise<string | null> {
  const said = join(staging.work, 'run.log');
  const result = await dumper.lanes.with(async (lane) => {
    if (!(await isRoots(dumper, tree))) return null;
    // ckptd-criu records when its own action script asks for it: here there is no CRIU that would call one.
    const command = {
      kind: `criu-dump-${lane}`,
      file: dumper.helper,
      args: [
        ...helperArguments(tree),
        '--',
        '/usr/bin/env',
        'CRTOOLS_SCRIPT_ACTION=post-dump',
        dumper.helper,
      ],
      env: { ...CRIU_ENV, CKPTD_RECORD: staging.record, CKPTD_ROOT: String(tree.root.nsPids.at(-1)) },
      timeoutMs: AT_LEAST_MS,
    };
    return runDetached(dumper.exec, command, said);
  });
  if (result === null) return NOT_ROOTS;
  return result.ok ? null : await reason(staging, said, result.message);
}

const NOT_ROOTS = 'the namespaces that the job was restored in are gone';

/** CRIU runs where the job's pid 1 is: looked at once it is its turn, which may take a while. */
async function isRoots({ proc }: Dumper, { init }: JobTree): Promise<boolean> {
  return init === null || (await mayEnter(proc, init));
}

function helperArguments({ root, init }: JobTree): string[] {
  const ids = ['run', '--uid', String(root.uids[0]), '--gid', String(root.gid)];
  return init === null ? ids : [...ids, '--inside', String(init.pid)];
}

/** Calls `late` every `ms` as long as `work` goes on. */
async function telling<T>(
  clock: Clock,
  ms: Millis,
  late: Dumping['late'],
  work: () => Promise<T>,
): Promise<T> {
  const over = new AbortController();
  const tell = async () => {
    for (let so = ms; ; so += ms) {
      await clock.sleep(ms, over.signal);
      late(so);
    }
  };
  tell().catch(() => undefined);
  try {
    return await work();
  } finally {
    over.abort();
  }
}

/** What a dump takes at most where nothing hangs. */
function dumpTime(tree: JobTree): Millis {
  return AT_LEAST_MS + Math.ceil((dumpBytes(tree) / BYTES_PER_SECOND) * 1000);
}

/** About what CRIU is going to write. Memory that several processes share is in the images once. */
export function dumpBytes({ processes }: JobTree): number {
  const shared = Math.max(...processes.map(({ sharedBytes }) => sharedBytes));
  return processes.reduce((sum, { privateBytes }) => sum + privateBytes, shared);
}

async function reason(staging: Staging, said: string, message: string): Promise<string> {
  for (const log of [join(staging.work, DUMP_LOG), said]) {
    const own = await criuErrorsIn(log);
    if (own !== null) return `CRIU: ${own}`;
  }
  const words = await readFile(said, 'latin1').catch(() => '');
  return `${message}: ${words.slice(-500).trim()}`.replace(/[^ -~]/g, ' ');
}

/** CRIU writes it beside the images or into its working folder, by release. */
async function readStats(staging: Staging): Promise<Buffer> {
  const places = [join(staging.images, STATISTICS), join(staging.work, STATISTICS)];
  for (const place of places) {
    const image = await readFile(place).catch(() => null);
    if (image) return image;
  }
  return Buffer.alloc(0);
}
