import { readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { isRoots, type Process, readProcess } from './process.ts';

/** Those of the pids that are there, each as it is now. */
export async function readMembers(
  proc: string,
  pids: readonly number[],
): Promise<ReadonlyMap<number, Process>> {
  const members = new Map<number, Process>();
  for (const pid of pids) {
    const process = await readProcess(proc, pid);
    if (process) members.set(pid, process);
  }
  return members;
}

/** slurmstepd's child; where it has adopted orphans, the oldest one. Users cannot have a parent that is root's. */
export async function batchTaskOf(
  proc: string,
  members: ReadonlyMap<number, Process>,
): Promise<Process | null> {
  let task: Process | null = null;
  for (const process of members.values()) {
    if (members.has(process.ppid) || (task && task.startTime <= process.startTime)) continue;
    const parent = await readProcess(proc, process.ppid);
    if (parent && (await isStepd(proc, parent))) task = process;
  }
  return task;
}

/** Root's slurmstepd, by its program: a user can give a setuid program any name. */
export async function isStepd(proc: string, process: Process): Promise<boolean> {
  if (!isRoots(process)) return false;
  const exe = await readlink(join(proc, String(process.pid), 'exe')).catch(() => '');
  // Debian calls it slurmstepd-wlm.
  return /\/slurmstepd(-[a-z]+)?( \(deleted\))?$/.test(exe);
}
