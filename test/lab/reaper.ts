/**
 * Started by every Lab as a child, with the number of its slot. Its stdin is a pipe from its parent: when that ends,
 * the parent is gone, in whatever way (SIGKILL too), and what it left is removed at once.
 */
import { isDeepStrictEqual } from 'node:util';
import { ownerOf } from './cluster-record.ts';
import { withLock } from './lock.ts';
import { removeCluster } from './removal.ts';
import { slotOf } from './slot.ts';

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});

const slot = slotOf(Number(process.argv[2]));
const parent = await ownerOf(slot);
process.stdin.resume();
process.stdin.on('end', () => {
  void withLock('clusters', async () => {
    // Not "is the parent dead?": its pipe ends a moment before it does.
    const owner = await ownerOf(slot);
    if (owner && isDeepStrictEqual(owner, parent)) await removeCluster(slot);
  });
});
