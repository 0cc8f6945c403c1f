import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HOOKS } from './support.ts';

/** A folder that goes away with its test. */
export function scratch(): { path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'ckptd-native-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** `make -C hooks/…`, as packagers call it. Throws with the compiler's words. */
export function make(folder: 'criu' | 'spank', variables: Readonly<Record<string, string>>): void {
  const words = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  run('make', ['--no-print-directory', '--silent', '-C', join(HOOKS, folder), ...words]);
}

/** Runs a tool to its end; its output. Throws with what it said if it fails. */
export function run(file: string, args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(file, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${file} ${args.join(' ')} failed (${status})\n${stdout}${stderr}`);
  return stdout;
}

/** Bounds are checked by the compiler then, and a test that reads or writes beyond them fails. */
export const SANITIZE = {
  CFLAGS: '-fsanitize=address,undefined -fno-sanitize-recover=all',
  LDFLAGS: '-fsanitize=address,undefined',
} as const;
