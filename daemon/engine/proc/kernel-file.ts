/* Files that the kernel makes up. */
import { constants } from 'node:fs';

export type Access = 'read' | 'write' | 'both' | 'path';

/** Which process a path of procfs tells of, as that procfs numbers it; null for one that tells of none. */
export function processOf(path: string): number | null {
  const pid = /^\/proc\/([1-9]\d{0,9})(?:\/|$)/.exec(path)?.[1];
  return pid === undefined ? null : Number(pid);
}

/** The file systems that this is about, by their names in a mount table. */
export const KERNELS =
  /^(proc|sysfs|cgroup|cgroup2|debugfs|tracefs|securityfs|bpf|pstore|configfs|efivarfs|binfmt_misc)$/;

/** Of open(2)'s flags. */
export function accessOf(flags: number): Access {
  if (flags & O_PATH) return 'path';
  const mode = flags & (constants.O_WRONLY | constants.O_RDWR);
  return mode === constants.O_RDONLY ? 'read' : mode === constants.O_WRONLY ? 'write' : 'both';
}

/** x86's and arm64's; Node has no name for it. */
const O_PATH = 0o10000000;
