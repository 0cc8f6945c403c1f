import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { JobId } from '../../vocabulary/job.ts';
import { batchStepOf, cgroupFolder, type StepCgroup } from './cgroup.ts';
import { parseMounts } from './mounts.ts';
import { isRoots, listPids, type Process } from './process.ts';
import { batchTaskNow, membersNow } from './process-sync.ts';
import type { RestoredRun } from './run-file.ts';

/** The processes of a running job, as they were at one moment. */
export interface JobTree {
  readonly cgroup: StepCgroup;
  /** Where that is in the file system. */
  readonly folder: string;
  /** The batch script, or what was restored in its place. */
  readonly root: Process;
  /** Pid 1 of the run's own pid namespace, where it has one: root's. */
  readonly init: Process | null;
  /** The root and all its descendants. */
  readonly processes: readonly Process[];
}

export type TreeLook =
  | { readonly ok: true; readonly tree: JobTree }
  | { readonly ok: false; readonly message: string };

export interface SoughtTree {
  /** `/proc`, or what stands in for it. */
  readonly proc: string;
  readonly jobId: JobId;
  readonly uid: number;
  readonly restored: RestoredRun | null;
  /** What `batchSteps` found a moment ago, which need not be so any more. */
  readonly steps?: BatchSteps;
}

/** Cgroups by their folders. More than one only where somebody imitates Slurm's names. */
export type BatchSteps = ReadonlyMap<string, StepCgroup>;

/**
 * Finds the job's tree through the cgroup of its batch step, without asking anybody: the task is the process of
 * that cgroup whose parent is root's slurmstepd outside of it. Whatever else is in the cgroup would be lost by a
 * move, so it is a refusal that names it.
 */
export async function findTree(sought: SoughtTree): Promise<TreeLook> {
  const { proc, jobId, steps } = sought;
  const found = (steps && (await findIn(proc, steps))) ?? (await findIn(proc, await batchSteps(proc, jobId)));
  if (found) return treeOf(sought, found);
  return refused(
    `no batch script of job ${jobId} runs in a cgroup of Slurm's (ProctrackType=proctrack/cgroup)`,
  );
}

interface Found {
  readonly cgroup: StepCgroup;
  readonly folder: string;
  readonly members: ReadonlyMap<number, Process>;
  readonly task: Process;
}

/** The batch task in one of the cgroups, and whoever is beside it. */
async function findIn(proc: string, steps: BatchSteps): Promise<Found | null> {
  for (const [folder, cgroup] of steps) {
    const members = await membersNow(proc, folder);
    const task = batchTaskNow(proc, members);
    if (task) return { cgroup, folder, members, task };
  }
  return null;
}

function treeOf({ jobId, uid, restored }: SoughtTree, found: Found): TreeLook {
  const { cgroup, folder, members, task } = found;
  const init = restored && members.get(restored.init);
  if (restored && (!init || init.startTime !== restored.initStart || init.ppid !== task.pid))
    return refused(`the namespaces that job ${jobId} was restored in are gone`);
  if (init && !isRoots(init))
    return refused(`the namespaces of job ${jobId} are uid ${init.uids[1]}'s, and not root's`);
  const root = init ? insideOf(members, init, restored.root) : task;
  if (!root) return refused(`the process that job ${jobId} was restored from is gone`);
  const processes = [root, ...descendants(members, root.pid)];
  const foreign = processes.find(({ uids }) => uids.some((id) => id !== uid));
  if (foreign) {
    const what = foreign === task ? 'its batch task' : `its process ${foreign.pid} (${foreign.name})`;
    return refused(`${what} runs as uid ${foreign.uids[1]}, and job ${jobId} belongs to uid ${uid}`);
  }
  const known = new Set([...processes.map(({ pid }) => pid), task.pid, ...(init ? [init.pid] : [])]);
  const astray = [...members.values()].filter(({ pid, state }) => !known.has(pid) && !/[ZX]/.test(state));
  if (astray.length > 0) {
    const names = astray.slice(0, 5).map(({ pid, name }) => `${pid} (${name})`);
    const more = astray.length > names.length ? ` and ${astray.length - names.length} more` : '';
    return refused(
      `job ${jobId} has processes that do not descend from its batch script: ${names.join(', ')}${more}`,
    );
  }
  return { ok: true, tree: { cgroup, folder, root, init: init ?? null, processes } };
}

const refused = (message: string): TreeLook => ({ ok: false, message });

/** One step's worth of work, so that a node of 100,000 processes does not stop the engine for others. */
const AT_ONCE = 200;

/** The cgroups that are named as the job's batch step, by a look at every process of the node. */
export async function batchSteps(proc: string, jobId: JobId): Promise<BatchSteps> {
  const mounts = parseMounts(await readFile(join(proc, 'self/mountinfo'), 'utf8'));
  const steps = new Map<string, StepCgroup>();
  let count = 0;
  for (const pid of await listPids(proc)) {
    const step = batchStepOf(cgroupOf(proc, pid), jobId);
    const folder = step && cgroupFolder(step, mounts);
    if (folder) steps.set(folder, step);
    if (++count % AT_ONCE === 0) await new Promise(setImmediate);
  }
  return steps;
}

/** Read on the spot, which takes less than a thread of Node's does to begin. Empty for a process that is gone. */
function cgroupOf(proc: string, pid: number): string {
  try {
    return readFileSync(join(proc, String(pid), 'cgroup'), 'latin1');
  } catch {
    return '';
  }
}

function insideOf(members: ReadonlyMap<number, Process>, init: Process, root: number): Process | undefined {
  return descendants(members, init.pid).find(
    ({ nsPids }) => nsPids.length === init.nsPids.length && nsPids.at(-1) === root,
  );
}

function descendants(members: ReadonlyMap<number, Process>, root: number): Process[] {
  const children = Map.groupBy(members.values(), ({ ppid }) => ppid);
  const found: Process[] = [];
  const parents = [root];
  for (let next = parents.pop(); next !== undefined; next = parents.pop()) {
    for (const child of children.get(next) ?? []) {
      found.push(child);
      parents.push(child.pid);
    }
  }
  return found;
}
