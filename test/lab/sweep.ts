/** Removes what clusters of dead processes left on this machine: `node test/lab/sweep.ts`, as root. */
import { withLock } from './lock.ts';
import { removeDeadClusters } from './removal.ts';

await withLock('clusters', async () => {
  const removed = await removeDeadClusters((slot, error) => {
    console.error(`cannot remove ${slot.name}: ${error instanceof Error ? error.message : error}`);
    process.exitCode = 1;
  });
  console.log(removed.length > 0 ? `removed ${removed.join(', ')}` : 'nothing to remove');
});
