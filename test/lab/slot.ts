import { join } from 'node:path';

/** Clusters of this machine, each a folder named after its slot. Fixed, since names of links are machine-wide too. */
export const clustersDir = '/var/lib/ckptd-lab';

/** Clusters that may run at a time on a machine. */
export const slotCount = 64;

/**
 * A cluster's place on this machine: every name and address of a cluster follows from its slot's number, so that
 * two never clash, and so that the number alone is enough to find what a dead one left.
 */
export interface Slot {
  number: number;
  /** Name of its bridge, and prefix of its links, machines and cgroups. Short: a link's name has 15 characters. */
  name: string;
  /** Folder with its nodes' disks and the record of its owner. */
  dir: string;
  /** IPv4 address of this machine on the cluster's bridge. */
  hostAddress: string;
}

export function slotOf(number: number): Slot {
  const name = `cklab${number}`;
  return { number, name, dir: join(clustersDir, name), hostAddress: `10.213.${number}.254` };
}

/** IPv4 address of a node: `ctl` is .1, `n3` is .13. */
export function nodeAddress(slot: Slot, node: string): string {
  const last = node === 'ctl' ? 1 : 10 + Number(node.slice(1));
  return `10.213.${slot.number}.${last}`;
}

/** Machine-wide name of a node's link, machine and cgroups. */
export const machineName = (slot: Slot, node: string): string => `${slot.name}-${node}`;
