import { readFile } from 'node:fs/promises';
import { release } from 'node:os';

/** What a dump carries of the machine that it was made on. */
export interface Machine {
  /** The first CPU's flags (`Features` on ARM). */
  readonly cpuFlags: readonly string[];
  readonly kernel: string;
}

export async function readMachine(proc: string): Promise<Machine> {
  return { cpuFlags: cpuFlags(await readFile(`${proc}/cpuinfo`, 'latin1')), kernel: release() };
}

/** Of /proc/cpuinfo. */
export function cpuFlags(text: string): string[] {
  const line = /^(?:flags|Features)\s*:(.*)$/m.exec(text)?.[1] ?? '';
  return line.split(/\s+/).filter((flag) => flag !== '');
}
