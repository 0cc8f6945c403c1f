import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Lanes } from '../../system/lanes.ts';
import type { Clock, Exec } from '../../system/ports.ts';
import type { Millis } from '../../vocabulary/job.ts';
import { rearmTimerfdsIn } from '../images/timerfds.ts';
import { mayEnter } from '../job/enter.ts';
import type { JobTree } from '../job/tree.ts';
import { CRIU_ENV } from './criu.ts';
import { dumpArguments } from './criu-arguments.ts';
import { criuErrorsIn } from './criu-log.ts';
import { runDetached } from './detached.ts';
import type { Staging } from './staging.ts';
import { parseDumpStats } from './stats.ts';

export interface Dumper {
  readonly exec: Exec;
  readonly clock: Clock;
  /** `/proc`. */
  readonly proc: string;
  readonly criu: string;
  /** ckptd-criu. */
  readonly helper: string;
  readonly lanes: Lanes;
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
  const root = tree.root.nsPids.at(-1)!;
  const argv = dumpArguments({
    criu: dumper.criu,
    root,
    images: staging.images,
    work: staging.work,
    actionScript: dumper.helper,
    stop,
  });
  const said = join(staging.work, 'run.log');
  const result = await dumper.lanes.with(async (lane) => {
    if (!(await isRoots(dumper, tree))) return null;
    const command = {
      kind: `criu-dump-${lane}`,
      file: dumper.helper,
      args: [...helperArguments(tree), '--', ...argv],
      env: { ...CRIU_ENV, CKPTD_RECORD: staging.record, CKPTD_ROOT: String(root) },
      timeoutMs: NO_END_MS,
    };
    return telling(dumper.clock, dumpTime(tree), late, () => runDetached(dumper.exec, command, said));
  });
  if (result === null) return { ok: false, message: NOT_ROOTS };
  if (!result.ok) return { ok: false, message: await reason(staging, said, result.message) };
  try {
    await rearmTimerfdsIn(join(staging.images, 'files.img'));
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
  for (const log of [join(staging.work, 'dump.log'), said]) {
    const own = await criuErrorsIn(log);
    if (own !== null) return `CRIU: ${own}`;
  }
  const words = await readFile(said, 'latin1').catch(() => '');
  return `${message}: ${words.slice(-500).trim()}`.replace(/[^ -~]/g, ' ');
}

/** CRIU writes it beside the images or into its working folder, by release. */
async function readStats(staging: Staging): Promise<Buffer> {
  const places = [join(staging.images, 'stats-dump'), join(staging.work, 'stats-dump')];
  for (const place of places) {
    const image = await readFile(place).catch(() => null);
    if (image) return image;
  }
  return Buffer.alloc(0);
}
