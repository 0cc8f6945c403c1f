import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Lanes } from '../../system/lanes.ts';
import type { Exec } from '../../system/ports.ts';
import type { EpochMs } from '../../vocabulary/job.ts';
import { rearmTimerfdsIn } from '../images/timerfds.ts';
import type { JobTree } from '../job/tree.ts';
import { CRIU_ENV } from './criu.ts';
import { dumpArguments } from './criu-arguments.ts';
import { criuErrorsIn } from './criu-log.ts';
import { detached } from './detached.ts';
import type { Staging } from './staging.ts';
import { parseDumpStats } from './stats.ts';

export interface Dumper {
  readonly exec: Exec;
  readonly criu: string;
  /** ckptd-criu. */
  readonly helper: string;
  readonly lanes: Lanes;
}

export type Dumped =
  | { readonly ok: true; readonly frozenMs: number }
  | { readonly ok: false; readonly message: string };

/** As slow as a disk may be, and what a hang may cost in time. */
const BYTES_PER_SECOND = 20 * 1024 * 1024;
const AT_LEAST_MS = 5 * 60_000;

/**
 * Dumps the processes into the staging folder and records their open files, all of them frozen meanwhile. Afterwards
 * they run on, or with `stop` are left stopped. A failure is told in CRIU's own words; CRIU has let the processes
 * run on then, unless it was killed (see `wake`). Not to be aborted: CRIU sits in the processes' memory.
 */
export async function dump(
  dumper: Dumper,
  tree: JobTree,
  staging: Staging,
  { stop }: { readonly stop: boolean },
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
  const result = await dumper.lanes.with((lane) => {
    const command = {
      kind: `criu-dump-${lane}`,
      file: dumper.helper,
      args: [...helperArguments(tree), '--', ...argv],
      env: { ...CRIU_ENV, CKPTD_RECORD: staging.record, CKPTD_ROOT: String(root) },
      timeoutMs: dumpTimeout(tree),
    };
    return dumper.exec.run(detached(command, said));
  });
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
  const result = await dumper.lanes.with((lane) => {
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
    return dumper.exec.run(detached(command, said));
  });
  return result.ok ? null : await reason(staging, said, result.message);
}

function helperArguments({ root, init }: JobTree): string[] {
  const ids = ['run', '--uid', String(root.uids[0]), '--gid', String(root.gid)];
  return init === null ? ids : [...ids, '--inside', String(init)];
}

export function dumpTimeout(tree: JobTree): EpochMs {
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
