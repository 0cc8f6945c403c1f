import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { listMounts } from './mounts.ts';
import { until } from './until.ts';

/** Where cgroup hierarchies are mounted: one of v2, and any number of v1. */
async function hierarchies(): Promise<string[]> {
  return (await listMounts())
    .filter((m) => m.fsType === 'cgroup' || m.fsType === 'cgroup2')
    .map((m) => m.target);
}

/** Makes a cgroup in every hierarchy; returns the `cgroup.procs` files that a process enters them by. */
export async function createCgroups(name: string): Promise<string[]> {
  const procs: string[] = [];
  for (const hierarchy of await hierarchies()) {
    const group = join(hierarchy, name);
    await mkdir(group, { recursive: true });
    // A v1 cpuset takes no process before it has CPUs and memory nodes.
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      const inherited = await readFile(join(hierarchy, file), 'utf8').catch(() => '');
      if (inherited.trim()) await writeFile(join(group, file), inherited);
    }
    procs.push(join(group, 'cgroup.procs'));
  }
  return procs;
}

/** Names of the cgroups at the top of any hierarchy for which `wanted` holds. */
export async function findCgroups(wanted: (name: string) => boolean): Promise<string[]> {
  const names = new Set<string>();
  for (const hierarchy of await hierarchies()) {
    for (const entry of await readdir(hierarchy, { withFileTypes: true })) {
      if (entry.isDirectory() && wanted(entry.name)) names.add(entry.name);
    }
  }
  return [...names];
}

/** Kills every process in the cgroup `name` of every hierarchy, waits for their end, and removes the cgroups. */
export async function removeCgroups(name: string): Promise<void> {
  const tops = (await hierarchies()).map((hierarchy) => join(hierarchy, name));
  await until(
    async () => {
      const groups = (await Promise.all(tops.map(tree))).flat();
      for (const group of groups) await killIn(group);
      for (const group of groups) await rmdir(group);
      return true;
    },
    { what: `the end of all processes in cgroup ${name}`, everyMs: 10 },
  );
}

/** A cgroup's folder and all below it, the deepest first; empty if it does not exist. */
async function tree(group: string): Promise<string[]> {
  const entries = await readdir(group, { withFileTypes: true }).catch(() => []);
  const folders = entries.filter((entry) => entry.isDirectory()).map((entry) => join(group, entry.name));
  const below = (await Promise.all(folders.map(tree))).flat();
  return entries.length > 0 ? [...below, group] : [];
}

async function killIn(group: string): Promise<void> {
  const pids = await readFile(join(group, 'cgroup.procs'), 'utf8').catch(() => '');
  for (const pid of pids.split('\n').filter(Boolean)) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It ended by itself.
    }
  }
  // A frozen process (v1) takes its SIGKILL only when thawed.
  if (pids) await writeFile(join(group, 'freezer.state'), 'THAWED', { flag: 'r+' }).catch(() => {});
}
