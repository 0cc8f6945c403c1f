import { chmod, lstat, mkdir, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import { nodeAddress, type Slot } from './slot.ts';

/** A file to put into a node before it boots: its text, or its text and octal mode (default 0o644). Owner is root. */
export type FileSpec = string | { content: string; mode: number };

/** Files that make a node out of the common root: who it is, whom it knows, and which Slurm daemon it runs. */
export function nodeFiles(slot: Slot, node: string, nodes: string[]): Record<string, FileSpec> {
  const hosts = nodes.map((name) => `${nodeAddress(slot, name)} ${name}`);
  return {
    '/etc/hostname': `${node}\n`,
    '/etc/machine-id': `${crypto.randomUUID().replaceAll('-', '')}\n`,
    '/etc/hosts': ['127.0.0.1 localhost', `${slot.hostAddress} host`, ...hosts, ''].join('\n'),
    '/etc/systemd/journald.conf.d/lab.conf': '[Journal]\nStorage=persistent\nSystemMaxUse=64M\n',
    '/etc/systemd/system/lab-prepare.service': prepareService,
    '/etc/systemd/system/network-online.target.d/lab.conf': '[Unit]\nWants=lab-prepare.service\n',
  };
}

/** nspawn mounts these read-only; on a real node slurmd and CRIU may write there. */
const prepareService = `[Unit]
Description=Make /proc/sys and the v1 cgroups writable
DefaultDependencies=no
Before=network-online.target
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'mount -o remount,rw /proc/sys; for c in /sys/fs/cgroup/*/; do mount -o remount,bind,rw "$c" || :; done'
`;

/** Enables a unit for the next boot of the root file system at `root`. */
export async function enableUnit(root: string, unit: string): Promise<void> {
  const link = await inRoot(root, `/etc/systemd/system/multi-user.target.wants/${unit}`);
  await mkdir(dirname(link), { recursive: true });
  await rm(link, { force: true });
  await symlink(`/usr/lib/systemd/system/${unit}`, link);
}

/** Writes files into the root file system at `root`, with their parent folders. */
export async function writeFiles(root: string, files: Record<string, FileSpec>): Promise<void> {
  for (const [path, spec] of Object.entries(files)) {
    const { content, mode } = typeof spec === 'string' ? { content: spec, mode: 0o644 } : spec;
    const target = await inRoot(root, path);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, content);
    await chmod(target, mode);
  }
}

/** Where `path` of a root file system is on this machine: absolute links in it start at `root`, not at ours. */
export async function inRoot(root: string, path: string): Promise<string> {
  let at = '/';
  const todo = normalize(`/${path}`).split('/').filter(Boolean);
  for (let links = 0; todo.length > 0; ) {
    const next = join(at, todo.shift()!);
    const isLink = await lstat(join(root, next)).then(
      (stat) => stat.isSymbolicLink(),
      () => false,
    );
    if (isLink && ++links > 40) throw new Error(`${path}: too many symbolic links`);
    at = isLink ? '/' : next;
    if (isLink) {
      const to = await readlink(join(root, next));
      todo.unshift(
        ...join(dirname(next), to.startsWith('/') ? `/..${to}` : to)
          .split('/')
          .filter(Boolean),
      );
    }
  }
  return join(root, at);
}
