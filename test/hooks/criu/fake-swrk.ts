import { chmodSync, copyFileSync } from 'node:fs';
import { join } from 'node:path';

/** The process that is restored, in its own pid namespace. */
export const ROOT = 40;

/** What a CRIU does that restores the script `job` of its folder, and asks first. */
export const RESTORES = ['--restore', '--notify=post-restore', `--say=${ROOT}`] as const;

/** Puts the stand-in for `criu … swrk FD` (fixtures/fake-swrk.pl) where every user can run it: the command, up to its steps. */
export function fakeSwrk(folder: string): string[] {
  const file = join(folder, 'criu');
  copyFileSync(join(import.meta.dirname, 'fixtures/fake-swrk.pl'), file);
  chmodSync(file, 0o755);
  return [file, '--no-default-config', `--folder=${folder}`, `--root=${ROOT}`];
}
