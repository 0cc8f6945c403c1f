import type { Exec } from '../../system/ports.ts';
import type { Host } from './compatible.ts';
import { readMachine } from './machine.ts';
import { criuVersion } from './version.ts';

/** What this node has to restore with, looked at anew each time: CRIU may have been upgraded. A string says why not. */
export async function readHost(exec: Exec, criu: string, proc: string): Promise<Host | string> {
  const [version, { cpuFlags }] = await Promise.all([criuVersion(exec, criu), readMachine(proc)]);
  if (!version.ok) return version.message;
  return { criuVersion: version.version, cpuFlags };
}
