import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { criuVersion } from '../../../daemon/engine/criu/version.ts';
import { systemExec } from '../../../daemon/system/process/exec.ts';

test('a CRIU is asked for its version once, and again when another is in its place', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ckptd-criu-'));
  const criu = join(folder, 'criu');
  const install = (version: string) => {
    rmSync(criu, { force: true });
    writeFileSync(criu, `#!/bin/sh\necho "Version: ${version}"\n`, { mode: 0o755 });
  };
  const exec = systemExec();
  const asked = () => exec.counters().get('criu-version')?.runs ?? 0;
  try {
    expect(await criuVersion(exec, criu)).toMatchObject({ ok: false });
    install('4.1.1');
    const before = asked();
    for (let time = 0; time < 3; time++)
      expect(await criuVersion(exec, criu)).toEqual({ ok: true, version: '4.1.1' });
    expect(asked()).toBe(before + 1);
    install('4.2.0');
    expect(await criuVersion(exec, criu)).toEqual({ ok: true, version: '4.2.0' });
    rmSync(criu);
    expect(await criuVersion(exec, criu)).toMatchObject({ ok: false });
    expect(asked()).toBe(before + 3);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
