import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { LabNode } from '../lab/lab.ts';

/** What a checkpoint or a restore needs at most: images in two places, and the job's memory. */
const TIMES = 3;
const run = promisify(execFile);

/**
 * Makes two measurements comparable: nothing waits to be written, and there is memory that the machine really has. A
 * virtual machine's host gives it page by page, at 10 µs each here (300 MB/s): whoever happens to get the pages that
 * somebody has just given back is up to ten times as fast.
 */
export async function prefaultMemory(node: LabNode, megabytes: number): Promise<void> {
  // Not of all that the machine has: another's file system may hang.
  await node.run('sync -f /var/lib /shared', { timeoutMs: 300_000 });
  // All nodes' memory is the machine's; what is only in memory is never written.
  const folder = await mkdtemp('/dev/shm/ckptd-bench-');
  try {
    const count = Math.ceil((TIMES * megabytes) / 4) + 16;
    await run('dd', ['if=/dev/zero', `of=${join(folder, 'level')}`, 'bs=4M', `count=${count}`]);
  } finally {
    await rm(folder, { recursive: true });
  }
}
