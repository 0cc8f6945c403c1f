import { stat } from 'node:fs/promises';
import type { Exec } from '../../system/ports.ts';

/** Where CRIU's own helpers are besides it (nft, iptables). */
export const CRIU_ENV = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };

export type CriuVersion =
  | { readonly ok: true; readonly version: string }
  | { readonly ok: false; readonly message: string };

/** By the program's path, what was there when it was asked. */
const known = new WeakMap<Exec, Map<string, { readonly stamp: string; readonly version: string }>>();

/**
 * For example `4.1.1`; or why there is no CRIU to work with. A program is asked once: another one in its place (an
 * upgrade) is asked again.
 */
export async function criuVersion(exec: Exec, criu: string): Promise<CriuVersion> {
  const stamp = await stampOf(criu);
  const all = known.get(exec) ?? new Map();
  known.set(exec, all);
  const before = all.get(criu);
  if (before?.stamp === stamp && stamp !== null) return { ok: true, version: before.version };
  const asked = await askVersion(exec, criu);
  // Replaced while it was asked, it may have been either that answered.
  if (asked.ok && stamp !== null && stamp === (await stampOf(criu)))
    all.set(criu, { stamp, version: asked.version });
  return asked;
}

async function stampOf(program: string): Promise<string | null> {
  const there = await stat(program, { bigint: true }).catch(() => null);
  return there && [there.dev, there.ino, there.size, there.mtimeNs, there.ctimeNs].join();
}

async function askVersion(exec: Exec, criu: string): Promise<CriuVersion> {
  const result = await exec.run({
    kind: 'criu-version',
    file: criu,
    args: ['--version'],
    env: CRIU_ENV,
    timeoutMs: 10_000,
  });
  if (!result.ok) return { ok: false, message: `CRIU cannot be used: ${result.message}` };
  const version = /^Version:\s*(\d[\w.-]{0,60})\s*$/m.exec(result.stdout.toString('latin1'))?.[1];
  return version
    ? { ok: true, version }
    : { ok: false, message: `${criu} --version does not tell its version` };
}

/**
 * `criu check` as plain root writes down in /run/criu.kdat what this kernel can do. A CRIU with the real ids of a
 * job's owner could not. Null, or what it says is missing: that need not keep it from working.
 */
export async function prepareCriu(exec: Exec, criu: string): Promise<string | null> {
  const result = await exec.run({
    kind: 'criu-check',
    file: criu,
    args: ['check'],
    env: CRIU_ENV,
    timeoutMs: 60_000,
  });
  return result.ok ? null : result.message;
}
