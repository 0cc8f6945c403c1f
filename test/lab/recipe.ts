import { createHash } from 'node:crypto';

/** What a cached root file system is made from. Anything that is changed here makes a new one, once a machine. */
export interface Recipe {
  suite: string;
  arch: string;
  packages: readonly string[];
  /** Run in the new root by `sh -ec`, after the packages are in. */
  configure: string;
}

/** Debian packages of a node, beyond debootstrap's minbase. */
const packages = [
  'systemd',
  'systemd-sysv',
  'dbus',
  'slurmctld',
  'slurmd',
  'slurm-client',
  'munge',
  // For programs that are tested in a node.
  'ca-certificates',
  'curl',
  'iproute2',
  'iputils-ping',
  'openssl',
  'procps',
  'python3',
  'strace',
  'zstd',
  // A file system that refuses root, as an export with root_squash does.
  'bindfs',
  // To checkpoint, and to build the SPANK plugin for exactly this Slurm.
  'criu',
  'gcc',
  'make',
  'libc6-dev',
  'libslurm-dev',
] as const;

/** Two ordinary users with the same ids on every node; which daemons a node runs is decided at its start. */
const configure = `
useradd --create-home --uid 2000 --shell /bin/bash alice
useradd --create-home --uid 2001 --shell /bin/bash bob
mkdir -m 1777 /shared
systemctl --quiet set-default multi-user.target
systemctl --quiet disable slurmd slurmctld getty@tty1 fstrim.timer apt-daily.timer apt-daily-upgrade.timer \
  dpkg-db-backup.timer systemd-pstore
systemctl --quiet mask console-getty systemd-firstboot systemd-modules-load systemd-binfmt systemd-hostnamed.socket \
  proc-sys-fs-binfmt_misc.automount sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount \
  sys-fs-fuse-connections.mount dev-hugepages.mount dev-mqueue.mount ldconfig.service \
  systemd-journal-catalog-update systemd-update-done systemd-sysusers systemd-tmpfiles-clean.timer \
  systemd-network-generator systemd-networkd
rm -f /etc/machine-id /etc/hostname /var/cache/apt/archives/*.deb
`;

/** The recipe of the lab's nodes for the machine that this runs on. */
export const nodeRecipe: Recipe = {
  suite: 'trixie',
  arch: process.arch,
  packages,
  configure,
};

/** Names a root file system: two recipes have the same key exactly if they are equal. */
export function recipeKey(recipe: Recipe): string {
  return createHash('sha256').update(JSON.stringify(recipe)).digest('hex').slice(0, 16);
}
