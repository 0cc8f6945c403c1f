import { KERNELS } from '../../proc/kernel-file.ts';
import type { Mount } from '../../proc/mounts.ts';

export interface Device {
  readonly major: number;
  readonly minor: number;
}

/** Where a file lies, as far as another node is concerned. */
export type Reach =
  /** The other nodes have the very same file. */
  | 'shared'
  /** Only this node has it. */
  | 'local'
  /** The kernel makes it up, and goes by who opened it: nothing to carry, nothing to roll back. */
  | 'kernel'
  /** The kernel makes it up for whoever uses it (terminals, devices): the same. */
  | 'pseudo';

export type ReachOf = (dev: Device, path: string | null) => Reach;

/** File systems that several nodes mount, by the names of their kernel modules. */
const NETWORK =
  /^(nfs|nfs4|lustre|gpfs|beegfs|ceph|cifs|smb3|smbfs|glusterfs|9p|afs|ocfs2|gfs2|pvfs2|orangefs|panfs|wekafs|virtiofs|dvs|quobyte|bwfs|mapr|fuse|fuse\..+)$/;
const PSEUDO = /^(devpts|mqueue|fusectl|autofs|nsfs|devtmpfs)$/;

/**
 * Tells files of shared file systems from those of this node, by its mount table. What lies on the device of
 * `sharedDevice` (the store's, which every node sees) is shared whatever its type. Btrfs and overlayfs give
 * files another device than their mount: those are told by their path.
 */
export function reachOf(mounts: readonly Mount[], sharedDevice: Device): ReachOf {
  const byDevice = new Map(mounts.map((mount) => [mount.device, mount.type]));
  // The later of two mounts on one target hides the earlier.
  const byDepth = mounts.toReversed().toSorted((a, b) => b.target.length - a.target.length);
  const store = name(sharedDevice);
  return (dev, path) => {
    if (name(dev) === store) return 'shared';
    const type = byDevice.get(name(dev)) ?? byDepth.find(({ target }) => isUnder(path, target))?.type ?? '';
    if (NETWORK.test(type)) return 'shared';
    if (KERNELS.test(type)) return 'kernel';
    return PSEUDO.test(type) ? 'pseudo' : 'local';
  };
}

const name = ({ major, minor }: Device): string => `${major}:${minor}`;

function isUnder(path: string | null, target: string): boolean {
  return path !== null && (target === '/' || path === target || path.startsWith(`${target}/`));
}

/** st_dev, as glibc's `makedev` makes it; node gives it so. */
export function deviceNumber({ major, minor }: Device): string {
  const [a, b] = [BigInt(major), BigInt(minor)];
  const number = ((a & 0xfffff000n) << 32n) | ((a & 0xfffn) << 8n) | ((b & 0xffffff00n) << 12n) | (b & 0xffn);
  return String(number);
}

export function deviceOf(number: bigint): Device {
  const major = ((number >> 32n) & 0xfffff000n) | ((number >> 8n) & 0xfffn);
  const minor = ((number >> 12n) & 0xffffff00n) | (number & 0xffn);
  return { major: Number(major), minor: Number(minor) };
}
