import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundle } from '../../systemd/bundle.ts';

export const REPOSITORY = join(import.meta.dirname, '../..');

/** A checkout after `npm ci && npm run build`, whose ckptd is the probe. */
export async function probeCheckout(): Promise<{ path: string } & Disposable> {
  const path = mkdtempSync(join(tmpdir(), 'ckptd-checkout-'));
  mkdirSync(join(path, 'dist'));
  for (const folder of ['systemd', 'hooks', 'config'])
    cpSync(join(REPOSITORY, folder), join(path, folder), { recursive: true, verbatimSymlinks: true });
  symlinkSync(join(REPOSITORY, 'node_modules'), join(path, 'node_modules'));
  await bundle(join(import.meta.dirname, 'fixtures/probe.ts'), join(path, 'dist/ckptd.mjs'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}
