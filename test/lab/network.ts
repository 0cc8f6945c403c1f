import { writeFile } from 'node:fs/promises';
import { exec } from './exec.ts';
import { machineName, nodeAddress, type Slot } from './slot.ts';

/** Makes the cluster's bridge. It leads nowhere but to its nodes and this machine. */
export async function createBridge(slot: Slot): Promise<void> {
  await ip([
    `link add ${slot.name} type bridge`,
    `addr add ${slot.hostAddress}/24 dev ${slot.name}`,
    `link set ${slot.name} up`,
  ]);
}

/**
 * Makes a network namespace, held by a mount at the file `netns`, with `lo` and a link `host0` to the bridge.
 * No name in /run/netns is taken: all that a cluster mounts is under its own folder.
 */
export async function createNetns(slot: Slot, node: string, netns: string, linkUp: boolean): Promise<void> {
  const link = machineName(slot, node);
  await writeFile(netns, '');
  await exec('unshare', [`--net=${netns}`, 'true']);
  await ip(
    [
      `link add host0 type veth peer name ${link} netns ${process.pid}`,
      `addr add ${nodeAddress(slot, node)}/24 dev host0`,
      'link set host0 up',
      'link set lo up',
    ],
    netns,
  );
  await ip([`link set ${link} master ${slot.name}`, `link set ${link} ${linkUp ? 'up' : 'down'}`]);
}

/** Ends a node's network namespace, and with it every connection that is left in it. */
export async function removeNetns(slot: Slot, node: string, netns: string): Promise<void> {
  await ip([`link del ${machineName(slot, node)}`]);
  await exec('umount', [netns]);
}

/** Plugs a node's cable in, or pulls it out. */
export async function setLink(slot: Slot, node: string, state: 'up' | 'down'): Promise<void> {
  await ip([`link set ${machineName(slot, node)} ${state}`]);
}

/** Removes the bridge and all links of a cluster, whichever of them are there. */
export async function removeLinks(slot: Slot): Promise<void> {
  const shown = await exec('ip', ['-json', 'link', 'show']);
  const names = (JSON.parse(shown.stdout) as { ifname: string }[]).map((link) => link.ifname);
  const mine = names.filter((name) => name === slot.name || name.startsWith(`${slot.name}-`));
  await ip(mine.map((name) => `link del ${name}`));
}

async function ip(lines: string[], netns?: string): Promise<void> {
  const enter = netns ? ['nsenter', `--net=${netns}`] : [];
  const [command = '', ...args] = [...enter, 'ip', '-batch', '-'];
  await exec(command, args, { input: `${lines.join('\n')}\n` });
}
