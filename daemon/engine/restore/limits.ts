import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Limits, readCores } from '../criu/images/cores.ts';
import { largestSocketBuffers } from '../criu/images/socket-buffers.ts';
import type { Verdict } from '../ports.ts';
import type { Process } from '../proc/process.ts';
import { processNow } from '../proc/process-sync.ts';

/** The batch task, which never becomes the job itself. */
interface Task {
  readonly pid: number;
  readonly startTime: number;
}

/** Of setrlimit(2), by number, in the words of ulimit(1). */
const RESOURCES = [
  'CPU time',
  'file size',
  'data size',
  'stack size',
  'core file size',
  'resident set',
  'processes',
  'open files',
  'locked memory',
  'address space',
  'file locks',
  'pending signals',
  'message queues',
  'nice priority',
  'realtime priority',
  'realtime time-out',
];

/**
 * Whether the processes of a restored tree, none of which runs yet, have their limits back. CRIU is not root: it cannot
 * raise a hard limit, nor take an OOM score further down, and where it fails in that it says nothing. Root raised its
 * limits before, as far as root may (`owner_raise_limits` in hooks/criu). `notes`: what an admin should know.
 */
export async function restoredLimits(
  proc: string,
  task: Task,
  images: string,
): Promise<{ readonly ok: true; readonly notes: readonly string[] } | (Verdict & { readonly ok: false })> {
  const cores = await readCores(images);
  if (typeof cores === 'string') return { ok: false, message: cores };
  const begun = processNow(proc, task.pid);
  if (begun?.startTime !== task.startTime) return { ok: false, message: 'the batch task is gone' };
  // CRIU may have a capability by which it could give them more of these (capset(2)).
  if ((cores.credentials.inheritable & ~begun.inheritable) !== 0n)
    return { ok: false, message: 'its images have inheritable capabilities that no job has here' };
  const tree = restoredTree(proc, begun);
  if (typeof tree === 'string') return { ok: false, message: tree };
  const notes = await smallerBuffers(proc, images);
  for (const { pid, nsPids, name } of tree) {
    const limits = cores.limits.get(nsPids.at(-1)!);
    if (!limits) continue;
    const of = `process ${nsPids.at(-1)} (${name})`;
    const why = whyOther(rlimitsNow(proc, pid), limits);
    if (why !== null) return { ok: false, message: `${of} of the job ${why}` };
    const now = Number(readFileSync(join(proc, String(pid), 'oom_score_adj'), 'latin1'));
    if (now !== limits.oomScoreAdj)
      notes.push(`${of} of the job has the OOM score adjustment ${now}, and had ${limits.oomScoreAdj}`);
    const priority = priorityNow(proc, pid);
    if (
      limits.priority &&
      (priority.nice !== limits.priority.nice || priority.policy !== limits.priority.policy)
    )
      notes.push(`${of} of the job runs at ${shown(priority)}, and ran at ${shown(limits.priority)}`);
  }
  return { ok: true, notes };
}

const shown = ({ nice, policy }: NonNullable<Limits['priority']>): string => `nice ${nice}, policy ${policy}`;

/** By /proc/PID/stat (proc(5)): fields 19 and 41, behind a name that may hold anything. */
function priorityNow(proc: string, pid: number): NonNullable<Limits['priority']> {
  const text = readFileSync(join(proc, String(pid), 'stat'), 'latin1');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { nice: Number(fields[16]), policy: Number(fields[38]) };
}

/** A user's socket gets no larger buffers than these at most, and CRIU takes what it gets. */
async function smallerBuffers(proc: string, images: string): Promise<string[]> {
  const buffers = await largestSocketBuffers(images);
  if (typeof buffers === 'string') return [];
  return (['wmem_max', 'rmem_max'] as const).flatMap((name) => {
    const most = Number(readFileSync(join(proc, 'sys/net/core', name), 'latin1'));
    const had = name === 'wmem_max' ? buffers.send : buffers.receive;
    if (had <= most) return [];
    return `a socket of the job had a buffer of ${had} bytes, and gets ${most}: net.core.${name} is smaller on this node`;
  });
}

function whyOther(now: readonly (readonly [bigint, bigint])[], { rlimits }: Limits): string | null {
  for (const [number, [soft, hard]] of rlimits.entries()) {
    const [softNow, hardNow] = now[number] ?? [0n, 0n];
    if (soft === softNow && hard === hardNow) continue;
    const what = RESOURCES[number] ?? `limit ${number}`;
    return `had a limit of ${said(soft)} (hard: ${said(hard)}) for its ${what}, and this node gives it ${said(softNow)} (hard: ${said(hardNow)})`;
  }
  return null;
}

const said = (limit: bigint): string => (limit === -1n ? 'unlimited' : String(limit));

/** In the order of their numbers, as the kernel lists them: `Max open files   1024   4096   files`. */
function rlimitsNow(proc: string, pid: number): [bigint, bigint][] {
  const text = readFileSync(join(proc, String(pid), 'limits'), 'latin1');
  const number = (word: string): bigint => (word === 'unlimited' ? -1n : BigInt(word));
  return [...text.matchAll(/^Max .{21} +(unlimited|\d+) +(unlimited|\d+)/gm)].map(
    ([, soft, hard]): [bigint, bigint] => [number(soft!), number(hard!)],
  );
}

/** Everything below pid 1 of the namespace that the task has made. */
function restoredTree(proc: string, task: Process): Process[] | string {
  const depth = task.nsPids.length + 1;
  const below = childrenOf(proc, task.pid).map((child) => processNow(proc, child));
  const init = below.find((child) => child?.nsPids.length === depth && child.nsPids.at(-1) === 1);
  if (!init) return 'the batch task has no namespace of its own';
  const found: Process[] = [];
  const waiting = childrenOf(proc, init.pid);
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const process = processNow(proc, next);
    if (!process) continue;
    if (!/[ZX]/.test(process.state)) found.push(process);
    waiting.push(...childrenOf(proc, next));
  }
  return found;
}

/** The children of all of a process's threads: each has its own. */
function childrenOf(proc: string, pid: number): number[] {
  const folder = join(proc, String(pid), 'task');
  return threadsOf(folder).flatMap((thread) => {
    try {
      const list = readFileSync(join(folder, thread, 'children'), 'latin1');
      return list.split(/\s+/).filter(Boolean).map(Number);
    } catch {
      return [];
    }
  });
}

function threadsOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
