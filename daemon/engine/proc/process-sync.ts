/*
 * /proc and the cgroups, read in this thread: what hangs in a file system keeps Node's other threads, and just then jobs
 * have to be frozen, thawed and ended. The kernel has all of it at hand, but for /proc/<pid>/cmdline, which waits for a
 * process that maps a file. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { isPid, isRoots, type Process, parseProcess } from './process.ts';

/** Null where there is none, or it ends just now. */
export function processNow(proc: string, pid: number): Process | null {
  try {
    const [stat, status] = ['stat', 'status'].map((name) =>
      readFileSync(join(proc, `${pid}`, name), 'latin1'),
    );
    return parseProcess(pid, stat!, status!);
  } catch {
    return null;
  }
}

/** One step's worth of work, so that a node of 100,000 processes does not stop the engine for others. */
const AT_ONCE = 200;

/** The pids of this namespace, in no order, with a pause now and then. */
export async function* pidsNow(proc: string): AsyncGenerator<number> {
  let count = 0;
  for (const name of readdirSync(proc)) {
    if (isPid(name)) yield Number(name);
    if (++count % AT_ONCE === 0) await new Promise(setImmediate);
  }
}

/** Empty for a process that is gone. */
export function cgroupNow(proc: string, pid: number): string {
  try {
    return readFileSync(join(proc, `${pid}`, 'cgroup'), 'latin1');
  } catch {
    return '';
  }
}

/**
 * The words that it was started with; empty for a process that is gone. Only for what maps no file of a file system that
 * may hang, or all of the engine waits with it.
 */
export function wordsNow(proc: string, pid: number): string[] {
  try {
    return readFileSync(join(proc, `${pid}`, 'cmdline'), 'latin1').split('\0');
  } catch {
    return [];
  }
}

/** The path of its program; empty for a process that is gone. */
export function programNow(proc: string, pid: number): string {
  try {
    return readlinkSync(join(proc, `${pid}`, 'exe'));
  } catch {
    return '';
  }
}

/**
 * Every pid in a cgroup and in those below it; empty once the cgroup is gone. Throws what else the kernel says: no
 * members would mean that nobody is left to be killed.
 */
export function memberPidsNow(folder: string): number[] {
  const pids = new Set<number>();
  const look = (group: string): void => {
    const below = unlessGone([], () => readdirSync(group, { withFileTypes: true }));
    const text = unlessGone('', () => readFileSync(join(group, 'cgroup.procs'), 'latin1'));
    // 0 is somebody outside of this pid namespace.
    for (const pid of text.split('\n').map(Number)) if (pid > 0) pids.add(pid);
    for (const entry of below) if (entry.isDirectory()) look(join(group, entry.name));
  };
  look(folder);
  return [...pids];
}

/** The processes of a cgroup and of those below it, by their pids, with a pause now and then. */
export async function membersNow(proc: string, folder: string): Promise<ReadonlyMap<number, Process>> {
  const members = new Map<number, Process>();
  for (const [count, pid] of memberPidsNow(folder).entries()) {
    const process = processNow(proc, pid);
    if (process) members.set(pid, process);
    if ((count + 1) % AT_ONCE === 0) await new Promise(setImmediate);
  }
  return members;
}

/** slurmstepd's child; where it has adopted orphans, the oldest one. Users cannot have a parent that is root's. */
export function batchTaskNow(proc: string, members: ReadonlyMap<number, Process>): Process | null {
  let task: Process | null = null;
  for (const process of members.values()) {
    if (members.has(process.ppid) || (task && task.startTime <= process.startTime)) continue;
    const parent = processNow(proc, process.ppid);
    if (parent && isStepdNow(proc, parent)) task = process;
  }
  return task;
}

/** Root's slurmstepd, by its program: a user can give a setuid program any name. */
export function isStepdNow(proc: string, process: Process): boolean {
  // Debian calls it slurmstepd-wlm.
  return isRoots(process) && /\/slurmstepd(-[a-z]+)?( \(deleted\))?$/.test(programNow(proc, process.pid));
}

function unlessGone<T>(none: T, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (isGone(error)) return none;
    throw error;
  }
}

/** A cgroup that is not there any more. */
export const isGone = (error: unknown): boolean =>
  ['ENOENT', 'ENODEV'].includes((error as NodeJS.ErrnoException).code ?? '');
