import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { findCgroups, removeCgroups } from './cgroups.ts';
import { ownerOf, recordedSlots, releaseSlot, removeStrays } from './cluster-record.ts';
import { forgetContainer } from './container.ts';
import { unmountUnder } from './mounts.ts';
import { removeLinks } from './network.ts';
import { isAlive } from './owner.ts';
import { machineName, type Slot } from './slot.ts';

/**
 * Removes all that is left of a cluster: processes, cgroups, links, mounts, and last its folder, which frees the slot.
 * Each step finds out for itself what there is, so it may be called in any state, and again if it failed.
 */
export async function removeCluster(slot: Slot): Promise<void> {
  const groups = await findCgroups((name) => name.startsWith(`${slot.name}-`));
  await Promise.all(groups.map(removeCgroups));
  await removeLinks(slot);
  for (const node of await readdir(slot.dir).catch(() => [])) {
    await forgetContainer(machineName(slot, node), join(slot.dir, node, 'root'));
  }
  await unmountUnder(slot.dir);
  await releaseSlot(slot);
}

/**
 * Removes the clusters whose owners are dead; returns their names. One that cannot be removed is told to `onError`
 * and does not keep the others. The caller holds the lock `clusters`.
 */
export async function removeDeadClusters(onError: (slot: Slot, error: unknown) => void): Promise<string[]> {
  const removed: string[] = [];
  await removeStrays();
  for (const slot of await recordedSlots()) {
    const owner = await ownerOf(slot);
    if (owner && isAlive(owner)) continue;
    try {
      await removeCluster(slot);
      removed.push(slot.name);
    } catch (error) {
      onError(slot, error);
    }
  }
  return removed;
}
