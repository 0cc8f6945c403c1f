import type { Exec } from '../../system/ports.ts';
import type { Manifest } from '../manifest.ts';
import { readMachine } from './machine.ts';
import { criuVersion } from './version.ts';

/** What of this node a checkpoint has to fit. */
export interface Host {
  /** Such as `4.2.1`. */
  readonly criuVersion: string;
  /** Of /proc/cpuinfo. */
  readonly cpuFlags: readonly string[];
}

/** What this node has to restore with, looked at anew each time: CRIU may have been upgraded. A string says why not. */
export async function readHost(exec: Exec, criu: string, proc: string): Promise<Host | string> {
  const [version, { cpuFlags }] = await Promise.all([criuVersion(exec, criu), readMachine(proc)]);
  if (!version.ok) return version.message;
  return { criuVersion: version.version, cpuFlags };
}

const NAMED = 5;

/**
 * Why the checkpoint cannot be restored on this node; null where nothing speaks against it. Images are good within
 * one major.minor of CRIU. A program may have chosen its code by the CPU's flags. An older kernel is CRIU's to judge.
 */
export function whyIncompatible(
  { criu, cpuFlags }: Pick<Manifest, 'criu' | 'cpuFlags'>,
  host: Host,
): string | null {
  if (criu === null) return null;
  const [there, here] = [seriesOf(criu.version), seriesOf(host.criuVersion)];
  if (there === null || there !== here)
    return `it was taken with CRIU ${criu.version}, and this node has ${host.criuVersion}`;
  const has = new Set(host.cpuFlags);
  const missing = cpuFlags.filter((flag) => !has.has(flag));
  if (missing.length === 0) return null;
  const more = missing.length > NAMED ? ` and ${missing.length - NAMED} more` : '';
  return `this node's CPU lacks ${missing.slice(0, NAMED).join(', ')}${more}, which the job may use`;
}

/** `4.2` of `4.2.1`. */
function seriesOf(version: string): string | null {
  return /^(\d{1,4}\.\d{1,4})(?:\D|$)/.exec(version)?.[1] ?? null;
}
