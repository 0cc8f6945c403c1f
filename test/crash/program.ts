import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundle } from '../../systemd/bundle.ts';
import type { RigOptions } from './rig.ts';

/** The daemon as it is now, in one file for a quick start; or, with CRASH_FROM=source, daemon/ckptd.ts itself. */
export async function daemonProgram(): Promise<RigOptions & Disposable> {
  const dir = mkdtempSync(join(tmpdir(), 'ckptd-crash-'));
  const source = join(import.meta.dirname, '../../daemon/ckptd.ts');
  const bundled = join(dir, 'ckptd.mjs');
  const fromSource = process.env['CRASH_FROM'] === 'source';
  if (!fromSource) await bundle(source, bundled);
  return {
    program: fromSource ? source : bundled,
    compileCache: join(dir, 'cache'),
    group: execFileSync('id', ['-gn'], { encoding: 'utf8' }).trim(),
    [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }),
  };
}
