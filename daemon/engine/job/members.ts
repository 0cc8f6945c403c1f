import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Every pid in a cgroup and in those below it, as this namespace numbers them; empty once the cgroup is gone. Rejects
 * with what else the kernel says: no members would mean that nobody is left to be killed.
 */
export async function cgroupMembers(folder: string): Promise<number[]> {
  const pids: number[] = [];
  for (const group of await groupsUnder(folder)) {
    const text = await readFile(join(group, 'cgroup.procs'), 'latin1').catch(unlessGone(''));
    // 0 is somebody outside of this pid namespace.
    pids.push(
      ...text
        .split('\n')
        .map(Number)
        .filter((pid) => pid > 0),
    );
  }
  return [...new Set(pids)];
}

async function groupsUnder(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(unlessGone([]));
  const below = entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(folder, name));
  const groups = [folder];
  for (const group of below) groups.push(...(await groupsUnder(group)));
  return groups;
}

function unlessGone<T>(none: T): (error: NodeJS.ErrnoException) => T {
  return (error) => {
    if (error.code === 'ENOENT' || error.code === 'ENODEV') return none;
    throw error;
  };
}
