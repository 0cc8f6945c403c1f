import { readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { JobId } from '../../vocabulary/job.ts';
import { batchStepOf, cgroupFolder, type StepCgroup } from './cgroup.ts';
import { cgroupMembers } from './members.ts';
import { parseMounts } from './mounts.ts';
import { listPids, type Process, readProcess } from './process.ts';
import type { RestoredRun } from './run-file.ts';

/** The processes of a running job, as they were at one moment. */
export interface JobTree {
  readonly cgroup: StepCgroup;
  /** Where that is in the file system. */
  readonly folder: string;
  /** The batch script, or what was restored in its place. */
  readonly root: Process;
  /** Pid 1 of the run's own pid namespace, where it has one. */
  readonly init: number | null;
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
}

/**
 * Finds the job's tree through the cgroup of its batch step, without asking anybody: the task is the process of
 * that cgroup whose parent is root's slurmstepd outside of it. Whatever else is in the cgroup would be lost by a
 * move, so it is a refusal that names it.
 */
export async function findTree(sought: SoughtTree): Promise<TreeLook> {
  const { jobId } = sought;
  const candidates = await stepsOf(sought);
  for (const [folder, cgroup] of candidates) {
    const members = await readAll(sought.proc, await cgroupMembers(folder));
    const task = await taskOf(sought.proc, members);
    if (task) return treeOf(sought, { cgroup, folder, members, task });
  }
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

function treeOf({ jobId, uid, restored }: SoughtTree, found: Found): TreeLook {
  const { cgroup, folder, members, task } = found;
  const init = restored && members.get(restored.init);
  if (restored && (!init || init.startTime !== restored.initStart || init.ppid !== task.pid))
    return refused(`the namespaces that job ${jobId} was restored in are gone`);
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
  return { ok: true, tree: { cgroup, folder, root, init: init?.pid ?? null, processes } };
}

const refused = (message: string): TreeLook => ({ ok: false, message });

/** Cgroups by their folders. More than one only where somebody imitates Slurm's names. */
async function stepsOf({ proc, jobId }: SoughtTree): Promise<ReadonlyMap<string, StepCgroup>> {
  const mounts = parseMounts(await readFile(join(proc, 'self/mountinfo'), 'utf8'));
  const steps = new Map<string, StepCgroup>();
  for (const pid of await listPids(proc)) {
    const text = await readFile(join(proc, String(pid), 'cgroup'), 'latin1').catch(() => '');
    const step = batchStepOf(text, jobId);
    const folder = step && cgroupFolder(step, mounts);
    if (folder) steps.set(folder, step);
  }
  return steps;
}

async function readAll(proc: string, pids: readonly number[]): Promise<ReadonlyMap<number, Process>> {
  const members = new Map<number, Process>();
  for (const pid of pids) {
    const process = await readProcess(proc, pid);
    if (process) members.set(pid, process);
  }
  return members;
}

/** slurmstepd's child; where it has adopted orphans, the oldest one. Users cannot have a parent that is root's. */
async function taskOf(proc: string, members: ReadonlyMap<number, Process>): Promise<Process | null> {
  let task: Process | null = null;
  for (const process of members.values()) {
    if (members.has(process.ppid) || (task && task.startTime <= process.startTime)) continue;
    const parent = await readProcess(proc, process.ppid);
    if (parent?.uids.every((id) => id === 0) && (await isStepd(proc, parent.pid))) task = process;
  }
  return task;
}

/** By its program: a user can give a setuid program any name. */
async function isStepd(proc: string, pid: number): Promise<boolean> {
  const exe = await readlink(join(proc, String(pid), 'exe')).catch(() => '');
  // Debian calls it slurmstepd-wlm.
  return /\/slurmstepd(-[a-z]+)?( \(deleted\))?$/.test(exe);
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
