import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../system/ports.ts';
import type { Millis } from '../../vocabulary/job.ts';
import { stagingRoot } from '../checkpoint/dump/staging.ts';
import { isRoots, listPids, readProcess } from '../proc/process.ts';

const POLL_MS: Millis = 200;

/** Whether a process of root's still writes into this staging folder: a CRIU that has outlived its engine. */
export async function hasLiveWriter(proc: string, workDir: string, actionId: string): Promise<boolean> {
  const folder = `${join(stagingRoot(workDir), actionId)}/`;
  for (const pid of await listPids(proc)) {
    const words = await readFile(join(proc, String(pid), 'cmdline'), 'utf8').catch(() => '');
    if (!words.split('\0').some((word) => word.startsWith(folder))) continue;
    // Anybody may write such words on their own command line, or on a setuid program's. CRIU itself may have its owner's
    // real id as well (hooks/criu/owner-ids.h); ckptd-criu, which waits for it with the same words, is all root's.
    const process = await readProcess(proc, pid);
    if (process && isRoots(process)) return true;
  }
  return false;
}

/** Resolves when nobody does, or rejects with the signal's reason. */
export async function whenWritten(
  { proc, workDir, clock }: { readonly proc: string; readonly workDir: string; readonly clock: Clock },
  actionId: string,
  signal: AbortSignal,
): Promise<void> {
  while (await hasLiveWriter(proc, workDir, actionId)) await clock.sleep(POLL_MS, signal);
}
