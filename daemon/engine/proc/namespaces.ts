import { readlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Verdict } from '../ports.ts';
import { isRoots, type Process, readProcess } from './process.ts';
import { isStepdNow } from './process-sync.ts';
import type { JobTree } from './tree.ts';

/** A process that was seen before. */
type Seen = Pick<Process, 'pid' | 'startTime'>;

/** `inside`: in whose mount and pid namespaces to run it; null: in this process's own. */
export type Entry =
  | { readonly ok: true; readonly inside: number | null }
  | (Verdict & { readonly ok: false });

/**
 * Whether programs may be run in the namespaces of this process: it has to be that very one still, and root's own. In
 * a mount namespace that a user has made (unshare(2) with a user namespace) it is he who says what lies under a
 * program's name, and root would run that.
 */
export async function mayEnter(proc: string, { pid, startTime }: Seen): Promise<boolean> {
  const process = await readProcess(proc, pid);
  return process?.startTime === startTime && isRoots(process);
}

/** Where paths are what they are to a process of root's: it may have a /tmp of its own, for example. */
export async function entryTo(proc: string, seen: Seen): Promise<Entry> {
  if (!(await mayEnter(proc, seen)))
    return {
      ok: false,
      message: `process ${seen.pid} is gone, or not root's own: its mounts are not entered`,
    };
  const [its, ours] = await Promise.all([String(seen.pid), 'self'].map((name) => mountsOf(proc, name)));
  return { ok: true, inside: its !== null && its !== ours ? seen.pid : null };
}

/**
 * The same for a job that runs. Its own processes may be anywhere by now; what they were begun in is where root's
 * process above them is: pid 1 of a restored run, else slurmstepd.
 */
export async function entryToJob(proc: string, { root, init }: JobTree): Promise<Entry> {
  const above = init ?? (await readProcess(proc, root.ppid));
  if (above === null || (init === null && !isStepdNow(proc, above)))
    return { ok: false, message: "the job's slurmstepd is gone" };
  const [its, trusted] = await Promise.all([root, above].map(({ pid }) => mountsOf(proc, String(pid))));
  if (its !== trusted)
    return {
      ok: false,
      message: `the job (process ${root.pid}, ${root.name}) is in another mount namespace than ${above.name} above it, and only root's own are entered`,
    };
  return entryTo(proc, above);
}

async function mountsOf(proc: string, name: string): Promise<string | null> {
  return readlink(join(proc, name, 'ns/mnt')).catch(() => null);
}
