import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { findCgroups } from './cgroups.ts';
import { clustersDir } from './slot.ts';

/** Everything on this machine that bears a cluster's name: mounts, links, cgroups, folders, processes. */
export async function traces(name: string): Promise<string[]> {
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8'))
    .split('\n')
    .filter((line) => line.includes(name));
  const links = (await execa('ip', ['-o', 'link'])).stdout.split('\n').filter((line) => line.includes(name));
  const groups = await findCgroups((group) => group.includes(name));
  const folders = await Promise.all([clustersDir, '/run/systemd/nspawn/propagate', '/run/netns'].map(list));
  const locks = await orphanedLocks(name);
  const processes = await Promise.all(
    (await list('/proc')).map(async (pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
  );
  return [
    ...mounts,
    ...links,
    ...groups,
    ...folders.flat().filter((folder) => folder.includes(name)),
    ...processes.filter((command) => command.includes(name)),
    ...locks,
  ];
}

/** nspawn names its locks after inodes: all but those of other clusters' root folders. */
async function orphanedLocks(name: string): Promise<string[]> {
  const others = (await list(clustersDir)).filter((cluster) => cluster !== name);
  const living = new Set<string>();
  for (const cluster of others) {
    for (const node of await list(join(clustersDir, cluster))) {
      const at = await stat(join(clustersDir, cluster, node, 'root')).catch(() => undefined);
      if (at) living.add(`inode-${at.dev}:${at.ino}`);
    }
  }
  return (await list('/run/systemd/nspawn/locks')).filter((lock) => !living.has(lock));
}

const list = (folder: string): Promise<string[]> => readdir(folder).catch(() => []);
