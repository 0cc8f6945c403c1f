import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');

const HELPER = ['ckptd-criu'] as const;

export interface Native {
  /** Files that were built, in the folder that was given. */
  readonly built: readonly string[];
  /** What was not, each with the reason and what to install. */
  readonly left: readonly string[];
}

/**
 * Builds `ckptd-criu` and `ckptd_spank.so` into `out`, as far as this machine can: a C compiler, make, and for the
 * plugin the headers of the cluster's very Slurm below `slurmInclude`. ckptd itself needs neither of them.
 * Throws where the compiler does not like what it is given.
 */
export function buildNative(out: string, slurmInclude: string): Native {
  const missing = ['make', 'cc'].filter((tool) => spawnSync(tool, ['--version']).error !== undefined);
  if (missing.length > 0) {
    const reason = `no ${missing.join(' and no ')} here (Debian: apt install gcc make libc6-dev)`;
    return { built: [], left: [`ckptd-criu: ${reason}`, `ckptd_spank.so: ${reason}`] };
  }
  make('criu', [`OUT=${out}`]);
  if (!existsSync(join(slurmInclude, 'slurm/spank.h'))) {
    const reason = `no ${slurmInclude}/slurm/spank.h here (Debian: apt install libslurm-dev; elsewhere SLURM_INCLUDE=DIR)`;
    return { built: HELPER, left: [`ckptd_spank.so: ${reason}`] };
  }
  make('spank', [`OUT=${out}`, `SLURM_INCLUDE=${slurmInclude}`]);
  return { built: [...HELPER, 'ckptd_spank.so'], left: [] };
}

function make(folder: string, variables: readonly string[]): void {
  const args = ['--no-print-directory', '--silent', '-C', join(ROOT, 'hooks', folder), ...variables];
  const { status, stdout, stderr, error } = spawnSync('make', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`make ${args.join(' ')} failed\n${stdout}${stderr}`, { cause: error });
}

/** The Slurm release that headers are of, e.g. `24.11.5`; null where they do not say. */
export function slurmRelease(slurmInclude: string): string | null {
  const path = join(slurmInclude, 'slurm/slurm_version.h');
  if (!existsSync(path)) return null;
  const number = /SLURM_VERSION_NUMBER\s+(0x[0-9a-f]+)/i.exec(readFileSync(path, 'utf8'))?.[1];
  if (number === undefined) return null;
  const [major, minor, micro] = [16, 8, 0].map((shift) => (Number(number) >> shift) & 0xff);
  return `${major}.${String(minor).padStart(2, '0')}.${micro}`;
}
