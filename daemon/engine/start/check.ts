import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { listPids, type Process, readProcess } from '../job/process.ts';
import type { Verdict } from '../ports.ts';
import type { AsOwner } from './as-owner.ts';
import { Opened, takeAll } from './opened.ts';
import type { Owner } from './run.ts';

export interface Checked {
  readonly proc: string;
  readonly owner: Owner;
  /** The batch task, which never becomes the job itself. */
  readonly task: { readonly pid: number; readonly startTime: number };
  /** CRIU's log, which each process holds until it runs. */
  readonly log: string;
  readonly asOwner: AsOwner;
}

/** The kernel's own, for memory that is shared: they cannot be opened by these names. */
const MEMORY = /^\/(dev\/zero|memfd:.*|SYSV[0-9a-f]{8}|anon_hugepage|\[aio\]) \(deleted\)$/s;

/**
 * Looks at a tree that CRIU has restored and not yet let go. CRIU opens files as root, along paths that the owner
 * may have led elsewhere since the dump: whatever a process holds now must be something that its owner could open
 * himself, on that path, for the same purpose. Until CRIU lets go, the processes are root's, and nobody can take
 * anything from them.
 */
export async function checkTree(checked: Checked): Promise<Verdict> {
  const { proc, owner, task, log, asOwner } = checked;
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
  const answer = await asOwner(owner, [{ op: 'identify', held: opened.held }], tree.init);
  return answer.ok ? { ok: true } : answer;
}

/** A deleted file was made anew from the images, with its owner and its mode. */
function isOwn({ path, uid, mode, access }: Opened['nameless'][number], owner: Owner): boolean {
  if (uid === owner.uid || MEMORY.test(path)) return true;
  return access === 'path' || (access === 'read' && (mode & 0o004) !== 0);
}

interface RestoredTree {
  /** Pid 1 of the new namespace, as seen here. */
  readonly init: number;
  readonly processes: readonly Process[];
}

/**
 * Everything below the task's init but CRIU. CRIU is init's first child: the root of the tree became its sibling
 * (`--restore-sibling`), and orphans come behind.
 */
async function restoredTree(proc: string, task: Checked['task']): Promise<RestoredTree | string> {
  const all = new Map<number, Process>();
  for (const pid of await listPids(proc)) {
    const process = await readProcess(proc, pid);
    if (process) all.set(pid, process);
  }
  const parent = all.get(task.pid);
  if (parent?.startTime !== task.startTime) return 'the batch task is gone';
  const depth = parent.nsPids.length + 1;
  const init = [...all.values()].find(
    ({ ppid, nsPids }) => ppid === task.pid && nsPids.length === depth && nsPids.at(-1) === 1,
  );
  if (!init) return 'the batch task has no namespace of its own';
  const children = await readFile(
    join(proc, String(init.pid), 'task', String(init.pid), 'children'),
    'latin1',
  );
  const [criu = 0, ...others] = children.trim().split(/\s+/).map(Number);
  const processes = withDescendants(all, others);
  if (!all.has(criu) || processes.length === 0) return 'no process was restored';
  return { init: init.pid, processes: processes.filter(({ state }) => !/[ZX]/.test(state)) };
}

function withDescendants(all: ReadonlyMap<number, Process>, roots: readonly number[]): Process[] {
  const children = Map.groupBy(all.values(), ({ ppid }) => ppid);
  const found: Process[] = [];
  const waiting = roots.flatMap((pid) => all.get(pid) ?? []);
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    found.push(next);
    waiting.push(...(children.get(next.pid) ?? []));
  }
  return found;
}
