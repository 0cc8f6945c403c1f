import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { JobTree } from './tree.ts';

/** Whether the job is stopped or frozen as a whole, as `scontrol suspend` leaves it. */
export async function isFrozen({ cgroup, folder, root }: JobTree): Promise<boolean> {
  if (root.state === 'T') return true;
  if (cgroup.version === 2) return /^frozen 1$/m.test(await read(join(folder, 'cgroup.events')));
  return (await read(join(folder, 'freezer.state'))).trim() !== 'THAWED';
}

/** Empty once the cgroup is gone. */
const read = (path: string): Promise<string> => readFile(path, 'latin1').catch(() => '');
