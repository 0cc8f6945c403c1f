import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export const HOOKS = join(import.meta.dirname, '../../hooks');

/** The file of a program on this machine's PATH, or null. */
export function find(program: string): string | null {
  const { PATH: path = '' } = process.env;
  for (const dir of path.split(delimiter)) {
    try {
      accessSync(join(dir, program));
      return join(dir, program);
    } catch {}
  }
  return null;
}

/** Says loudly what is not tested on this machine. */
export function skipped(what: string): void {
  console.error(`SKIPPED: ${what} is not installed: the hooks are not tested with it`);
}

/** The shells that a node's /bin/sh may be, as far as they are here. */
export const SHELLS: readonly (readonly [name: string, ...command: string[]])[] = [
  ['dash', 'dash'] as const,
  ['bash as sh', 'bash', '--posix'] as const,
  ['busybox', 'busybox', 'sh'] as const,
].flatMap(([name, program, ...args]) => {
  const file = find(program);
  if (file !== null) return [[name, file, ...args] as const];
  skipped(program);
  return [];
});

export interface Ran {
  readonly code: number | null;
  readonly signal: string | null;
  readonly output: string;
  readonly ms: number;
}

/** What Slurm sets for the Prolog of job 7's first requeue (facts/slurm.md, section 4): no PATH, no HOME. */
export const SLURM_ENV = {
  SLURM_JOB_ID: '7',
  SLURM_JOB_RESTART_COUNT: '1',
  SLURM_JOB_UID: '1000',
  SLURM_JOB_GID: '1000',
  SLURM_JOB_USER: 'ada',
  SLURM_JOB_PARTITION: 'spot',
  SLURM_JOB_NUM_NODES: '1',
  SLURM_NODELIST: 'n1',
  SLURMD_NODENAME: 'n1',
  SLURM_CLUSTER_NAME: 'c',
  SLURM_JOB_WORK_DIR: '/home/ada',
  SLURM_JOB_STDOUT: '/home/ada/slurm-7.out',
  SLURM_CONF: '/etc/slurm/slurm.conf',
} as const;

/** Runs a command with exactly this environment, values as bytes; its output is a pipe that is read to the end. */
export async function run(
  command: readonly string[],
  env: Readonly<Record<string, string | Buffer>>,
): Promise<Ran> {
  const began = performance.now();
  // Node makes UTF-8 of its environment; env(1) under a shell's printf takes any bytes but NUL.
  const assign = Object.entries(env).map(([name, value]) => `${name}=${octal(value)}`);
  const script = `exec env -i ${assign.join(' ')} ${command.map(octal).join(' ')}`;
  const child = spawn('bash', ['-c', script], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  // `close`, not `exit`: a process left behind would hold the pipe.
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  return { code, signal, output, ms: performance.now() - began };
}

/** Any bytes as one word of bash. */
function octal(value: string | Buffer): string {
  const bytes = [...Buffer.from(value)].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`);
  return `$'${bytes.join('')}'`;
}

/**
 * The hook's text with another PATH in it: a folder that holds these programs alone. The hook sets its own PATH, so
 * that is the only way to a node without curl.
 */
export function hookWith(dir: string, programs: Readonly<Record<string, string>>, text: string): string {
  const bin = join(dir, 'bin');
  rmSync(bin, { recursive: true, force: true });
  mkdirSync(bin);
  for (const [name, script] of Object.entries(programs)) {
    writeFileSync(join(bin, name), script);
    chmodSync(join(bin, name), 0o755);
  }
  const path = join(dir, 'prolog');
  const changed = text.replace('PATH=/usr/sbin:/usr/bin:/sbin:/bin', `PATH=${bin}`);
  if (changed === text) throw new Error('the hook does not set the PATH that this replaces');
  writeFileSync(path, changed, { mode: 0o755 });
  return path;
}
