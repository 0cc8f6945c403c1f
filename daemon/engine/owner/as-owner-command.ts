import { join } from 'node:path';
import type { Lanes } from '../../system/lanes.ts';
import type { CommandResult, Exec } from '../../system/ports.ts';
import type { Millis } from '../../vocabulary/job.ts';
import type { Process } from '../proc/process.ts';
import { withOwnersRights } from './with-owners-rights.ts';

/** The job is frozen meanwhile. */
const TIMEOUT_MS: Millis = 10 * 60_000;
/** Of `ulimit -f` in POSIX. */
const BLOCK_BYTES = 512;

/**
 * Files of root's are opened before the rights are given up: the owner gets them as standard input and output. They
 * might fill them from outside by the descriptors, so their size has a limit.
 */
const SCRIPT =
  'umask 077; most=$1 in=$2 out=$3 log=$4; shift 4; ulimit -c 0; ulimit -f "$most"; exec "$@" <"$in" >"$out" 2>"$log"';

/** Runs a program with the rights of the job's owner; at `most` bytes of output it is ended by SIGXFSZ. */
export function runAsOwner(
  { exec, lanes }: { readonly exec: Exec; readonly lanes: Lanes },
  owner: Process,
  /** The folder for what the program says. */
  work: string,
  argv: readonly string[],
  { input, output, most }: { readonly input: string; readonly output: string; readonly most: number },
): Promise<CommandResult> {
  const { uids, gid, groups } = owner;
  const command = withOwnersRights({ uid: uids[0]!, gid, groups }, argv);
  const blocks = String(Math.floor(most / BLOCK_BYTES));
  const log = join(work, 'archive.log');
  return lanes.with((lane) =>
    exec.run({
      kind: `archive-${lane}`,
      file: '/bin/sh',
      args: ['-c', SCRIPT, 'sh', blocks, input, output, log, ...command],
      timeoutMs: TIMEOUT_MS,
    }),
  );
}
