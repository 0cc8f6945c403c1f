import type { Exec } from '../../system/ports.ts';

/** Where CRIU's own helpers are besides it (nft, iptables). */
export const CRIU_ENV = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };

/** For example `4.1.1`; or why there is no CRIU to work with. */
export async function criuVersion(
  exec: Exec,
  criu: string,
): Promise<{ ok: true; version: string } | { ok: false; message: string }> {
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
