import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { make, run, SANITIZE, scratch } from '../native.ts';

/** ckptd-criu with its bounds checked, and fixtures/holder.c. */
export interface Built extends Disposable {
  readonly helper: string;
  readonly holder: string;
}

const FIXTURE_FLAGS = ['-D_GNU_SOURCE', '-Wall', '-Wextra', '-Werror', '-pthread'] as const;

/** Compiles fixtures/NAME.c into a folder; the program. */
export function fixture(name: string, out: string): string {
  const program = join(out, name);
  run('cc', [...FIXTURE_FLAGS, join(import.meta.dirname, `fixtures/${name}.c`), '-o', program]);
  return program;
}

export function build(): Built {
  const out = scratch();
  make('criu', { OUT: out.path, ...SANITIZE });
  const holder = fixture('holder', out.path);
  return { helper: join(out.path, 'ckptd-criu'), holder, [Symbol.dispose]: () => out[Symbol.dispose]() };
}

export interface Held extends AsyncDisposable {
  readonly pid: number;
  /** Where its files are. */
  readonly folder: string;
  /** Beside that: for what a test writes. */
  readonly scratch: string;
}

/** A tree of processes with all kinds of files open. It and what it started are gone at the end. */
export async function hold(built: Built, count = 0): Promise<Held> {
  const folder = scratch();
  const files = join(folder.path, 'files');
  mkdirSync(files);
  const child: ChildProcess = spawn(built.holder, [files, String(count)], {
    // Its own group, to end all of it.
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout!, 'data');
  return {
    pid: child.pid!,
    folder: files,
    scratch: folder.path,
    async [Symbol.asyncDispose]() {
      process.kill(-child.pid!, 'SIGKILL');
      await once(child, 'exit');
      child.stdout!.destroy();
      folder[Symbol.dispose]();
    },
  };
}
