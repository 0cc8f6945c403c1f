import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { mapConcurrent } from '../../system/async/map-concurrent.ts';
import { mayEnter } from '../job/enter.ts';
import { type Process, readProcess } from '../job/process.ts';
import type { Verdict } from '../ports.ts';
import { guardsOf } from './guards.ts';
import type { Held, Identify } from './held.ts';
import { ofTheKernel } from './kernel-held.ts';
import { Opened, takeAll } from './opened.ts';
import type { Owner } from './run.ts';
import { ofWatches } from './watched.ts';

export interface Checked {
  readonly proc: string;
  readonly owner: Owner;
  /** The batch task, which never becomes the job itself. */
  readonly task: { readonly pid: number; readonly startTime: number };
  /** CRIU's log, which each process holds until it runs. */
  readonly log: string;
  /** CRIU's. */
  readonly images: string;
  readonly identify: Identify;
}

const AT_ONCE = 8;

/** The kernel's own, for memory that is shared: they cannot be opened by these names. */
const MEMORY = /^\/(dev\/zero|memfd:.*|SYSV[0-9a-f]{8}|anon_hugepage|\[aio\]) \(deleted\)$/s;

/**
 * Looks at a tree that CRIU has restored and not yet let go. CRIU opens files as root, along paths that the owner
 * may have led elsewhere since the dump: whatever a process holds now must be something that its owner could open
 * himself, on that path, for the same purpose. Until CRIU lets go, the processes are root's, and nobody can take
 * anything from them.
 */
export async function checkTree(checked: Checked): Promise<Verdict> {
  const { proc, owner, task, log, images, identify } = checked;
  const tree = await restoredTree(proc, task);
  if (typeof tree === 'string') return { ok: false, message: tree };
  const own = await stat(log, { bigint: true });
  const opened = new Opened([`${own.dev}:${own.ino}`]);
  for (const { pid } of tree.processes) await takeAll(proc, pid, opened);
  const bad = opened.nameless.find((file) => !isOwn(file, owner));
  if (bad) {
    const path = Buffer.from(bad.path, 'latin1').toString('utf8');
    return { ok: false, message: `the job may not have ${path}: it is of uid ${bad.uid}` };
  }
  const kernels = await ofTheKernel(proc, tree, opened.kernels);
  if (!kernels.ok) return kernels;
  const watched = await ofWatches(proc, tree.init, opened.watches, images);
  if (!watched.ok) return watched;
  const held = [...(await Promise.all(opened.held.map(asProgram))), ...kernels.held, ...watched.held];
  // Root's program is looked up in there.
  if (!(await mayEnter(proc, tree.init)))
    return { ok: false, message: "the pid 1 of the job is not root's own" };
  return identify(owner, held, tree.init.pid);
}

/**
 * A job runs a program, and has it mapped, that its owner may execute and not read. Where others than root have a hand
 * in its path it could be another one by now, whose bytes the job would get to see: there, it has to be readable.
 */
async function asProgram(held: Held): Promise<Held> {
  if (held.access !== 'run') return held;
  const guards = await guardsOf([held.path]);
  return guards.ok && guards.folders.length === 0 ? held : { ...held, access: 'read' };
}

/** A deleted file was made anew from the images, with its owner and its mode. */
function isOwn({ path, uid, mode, access }: Opened['nameless'][number], owner: Owner): boolean {
  if (uid === owner.uid || MEMORY.test(path)) return true;
  return access === 'path' || ((access === 'read' || access === 'run') && (mode & 0o004) !== 0);
}

interface RestoredTree {
  /** Pid 1 of the new namespace, as seen here. */
  readonly init: Process;
  readonly processes: readonly Process[];
}

/**
 * Everything below the task's init but CRIU. CRIU is init's first child: the root of the tree became its sibling
 * (`--restore-sibling`), and orphans come behind.
 */
async function restoredTree(proc: string, task: Checked['task']): Promise<RestoredTree | string> {
  const parent = await readProcess(proc, task.pid);
  if (parent?.startTime !== task.startTime) return 'the batch task is gone';
  const depth = parent.nsPids.length + 1;
  const below = await processesOf(proc, await childrenOf(proc, task.pid));
  const init = below.find(({ nsPids }) => nsPids.length === depth && nsPids.at(-1) === 1);
  if (!init) return 'the batch task has no namespace of its own';
  const [criu = 0, ...others] = await childrenOf(proc, init.pid);
  const processes = await withDescendants(proc, others);
  if (!(await readProcess(proc, criu)) || processes.length === 0) return 'no process was restored';
  return { init, processes: processes.filter(({ state }) => !/[ZX]/.test(state)) };
}

/** Nothing of it runs, so that nobody comes or goes meanwhile. */
async function withDescendants(proc: string, roots: readonly number[]): Promise<Process[]> {
  const found = new Map<number, Process>();
  const waiting = [...roots];
  for (let pid = waiting.pop(); pid !== undefined; pid = waiting.pop()) {
    const [process] = await processesOf(proc, [pid]);
    if (!process || found.has(pid)) continue;
    found.set(pid, process);
    waiting.push(...(await childrenOf(proc, pid)));
  }
  return [...found.values()];
}

async function processesOf(proc: string, pids: readonly number[]): Promise<Process[]> {
  const all = await Promise.all(pids.map((pid) => readProcess(proc, pid)));
  return all.filter((process) => process !== null);
}

/** The children of all of a process's threads: each has its own. Not all of /proc is read for them, on a node that is full. */
async function childrenOf(proc: string, pid: number): Promise<number[]> {
  const folder = join(proc, String(pid), 'task');
  const lists = await mapConcurrent(AT_ONCE, await readdir(folder).catch(() => []), (thread) =>
    readFile(join(folder, thread, 'children'), 'latin1'),
  );
  return lists.flatMap((list) => list.split(/\s+/).filter(Boolean).map(Number));
}
