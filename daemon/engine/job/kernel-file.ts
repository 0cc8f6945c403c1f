/*
 * What the kernel makes up goes by whoever opened it: /proc/kallsyms shows root the kernel's addresses, uid_map takes
 * root's ids, and no later look at the reader takes that back (`f_cred` in the kernel's source). CRIU opens as root
 * whatever a job had open. So a job gets back only what shows its owner the same as it shows root.
 */
import { constants } from 'node:fs';

export type Access = 'read' | 'write' | 'both' | 'path' | 'run';

/** Of regular files below /proc/PID: to be opened by whoever may trace that process, and then no longer asking. */
const OF_ITS_OWNER = /^(auxv|environ|io|maps|mountstats|numa_maps|smaps|smaps_rollup)$/;
const SHOWS_ROOT_MORE = /^\/proc\/(kallsyms|modules|kcore|kpage[a-z]+)$|^\/proc\/\d+\/(task\/\d+\/)?pagemap$/;

export interface ProcessFile {
  /** As that procfs numbers processes. */
  readonly pid: number;
  /** Below the folder of the process or its thread; empty for that folder itself. */
  readonly name: string;
}

/** Which process a path of procfs tells of; null for one that tells of none. */
export function processFile(path: string): ProcessFile | null {
  const [, pid, name = ''] = /^\/proc\/([1-9]\d{0,9})(?:\/task\/[1-9]\d{0,9})?(?:\/(.+))?$/s.exec(path) ?? [];
  return pid === undefined ? null : { pid: Number(pid), name };
}

/**
 * Why root must not open this regular file of procfs, sysfs, a cgroup and the like for the job; null where it may.
 * `path` in latin1 or UTF-8: what is told by it is ASCII.
 */
export function whyNotAsRoot(path: string, access: Access): string | null {
  if (access === 'write' || access === 'both')
    return 'it is open for writing, and the kernel would take what root opened for what root writes';
  return SHOWS_ROOT_MORE.test(path) ? 'it would show the job what it shows root' : null;
}

/**
 * Whether the owner of a process may have this file of that process open: folders, and what shows root nothing more.
 * The process itself is root's until CRIU lets go of it, and nobody could open it as its owner until then.
 */
export function isOwnersToRead({ name }: ProcessFile, isFolder: boolean): boolean {
  return isFolder || OF_ITS_OWNER.test(name);
}

/** Types as statfs(2) has them (linux/magic.h), of the file systems that this is about. */
export const PROC_SUPER_MAGIC = 0x9fa0;
const KERNEL_MAGICS = new Set([
  PROC_SUPER_MAGIC,
  0x62656572, // sysfs
  0x27e0eb, // cgroup
  0x63677270, // cgroup2
  0x64626720, // debugfs
  0x74726163, // tracefs
  0x73636673, // securityfs
  0xcafe4a11, // bpf
  0x6165676c, // pstore
  0x62656570, // configfs
  0xde5e81e4, // efivarfs
  0x42494e4d, // binfmt_misc
]);
export const isKernels = (magic: number): boolean => KERNEL_MAGICS.has(magic);

/** The same by their names in a mount table. */
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
