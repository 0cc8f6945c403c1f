import { exec } from '../lab/exec.ts';
import type { LabNode } from '../lab/lab.ts';

/** Of one process, in megabytes (2^20 bytes). */
export interface Memory {
  /** Resident, what it shares with others included. */
  readonly rss: number;
  /** Resident, what it shares divided by those who share it. */
  readonly pss: number;
  readonly privateDirty: number;
  /** Its own, not of any file. */
  readonly anonymous: number;
}

/** Of the main process of a unit. */
export async function unitMemory(node: LabNode, unit: string): Promise<Memory> {
  // Pages of a program that was copied a moment ago count as dirty until they are on the disk.
  await exec('sync', []);
  const { stdout } = await node.run(
    `cat /proc/$(systemctl show ${unit} --property MainPID --value)/smaps_rollup`,
  );
  const megabytes = (key: string) =>
    Number(new RegExp(`^${key}:\\s+(\\d+) kB$`, 'm').exec(stdout)?.[1]) / 1024;
  return {
    rss: megabytes('Rss'),
    pss: megabytes('Pss'),
    privateDirty: megabytes('Private_Dirty'),
    anonymous: megabytes('Anonymous'),
  };
}
