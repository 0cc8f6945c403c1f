import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { make, run, SANITIZE, scratch } from '../native.ts';
import { slurmHeaders } from './slurm-headers.ts';

/** The plugin, its helper, and a program that loads the plugin as Slurm does (fixtures/stub-slurm.c). */
export interface Built extends Disposable {
  readonly plugin: string;
  readonly helper: string;
  readonly stub: string;
}

/** With `sanitize` a test fails where the plugin touches memory that is not its own. */
export async function build({ sanitize }: { sanitize: boolean }): Promise<Built> {
  const include = await slurmHeaders('trixie');
  const out = scratch();
  try {
    const flags = sanitize ? SANITIZE : { CFLAGS: '', LDFLAGS: '' };
    make('spank', { OUT: out.path, SLURM_INCLUDE: include, ...flags });
    // Not the helper: as pid 1 with an environment of its own it could not look for leaks at its end.
    make('criu', { OUT: out.path });
    const stub = join(out.path, 'stub-slurm');
    const source = join(import.meta.dirname, 'fixtures/stub-slurm.c');
    const words = `${flags.CFLAGS} -D_GNU_SOURCE -Wall -Wextra -Werror -rdynamic`.split(' ').filter(Boolean);
    run('cc', [...words, '-isystem', include, source, '-o', stub]);
    return {
      plugin: join(out.path, 'ckptd_spank.so'),
      helper: join(out.path, 'ckptd-criu'),
      stub,
      [Symbol.dispose]: () => out[Symbol.dispose](),
    };
  } catch (error) {
    out[Symbol.dispose]();
    throw error;
  }
}

export interface Call {
  readonly context: 'allocator' | 'local' | 'remote' | 'job_script' | 'slurmd';
  /** Words of plugstack.conf. */
  readonly config?: readonly string[];
  /** Callbacks, without `slurm_spank_`; `option`, then `NAME=VALUE`. */
  readonly commands: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Where it runs. */
  readonly cwd?: string;
}

export interface Said {
  /** What was logged, set and returned, a line each. */
  readonly lines: readonly string[];
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** The process that stands for sbatch, slurmstepd or a task of it. It is killed if it is still there at the end. */
export class Stub implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly said: Promise<Said>;
  /** What it said so far. */
  readonly lines: string[] = [];

  constructor(built: Built, { context, config = [], commands, env = {}, cwd = '/' }: Call) {
    const argv = [built.plugin, context, ...config, '--', ...commands];
    const file = openSync(built.plugin, 'r');
    this.child = spawn(built.stub, argv, {
      env: { PATH: '/usr/bin:/bin', UBSAN_OPTIONS: 'print_stacktrace=1', ...env },
      cwd,
      // Two more, for what slurmstepd has open: a file and a socket.
      stdio: ['ignore', 'pipe', 'pipe', file, 'pipe'],
    });
    closeSync(file);
    let rest = '';
    const take = (chunk: Buffer) => {
      const lines = `${rest}${chunk.toString('latin1')}`.split('\n');
      rest = lines.pop()!;
      this.lines.push(...lines);
    };
    this.child.stdout!.on('data', take);
    this.child.stderr!.on('data', take);
    this.said = once(this.child, 'exit').then(async ([code, signal]) => {
      // Its output may be held open by what it left behind; what it said itself is there by now.
      await new Promise((resolve) => setImmediate(resolve));
      return { lines: this.lines, code, signal };
    });
  }

  get pid(): number {
    return this.child.pid!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGKILL');
    await this.said;
    for (const stream of this.child.stdio) stream?.destroy();
  }
}

/** Makes the calls, and waits for their end. */
export async function call(built: Built, what: Call): Promise<Said> {
  await using stub = new Stub(built, what);
  return await stub.said;
}
