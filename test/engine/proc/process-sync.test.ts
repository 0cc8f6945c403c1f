import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { memberPidsNow } from '../../../daemon/engine/proc/process-sync.ts';

test('a cgroup that is gone has no members; one that cannot be read is an error, not an empty one', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ckptd-members-'));
  try {
    expect(memberPidsNow(join(folder, 'gone'))).toEqual([]);
    await writeFile(join(folder, 'file'), '');
    expect(() => memberPidsNow(join(folder, 'file'))).toThrow(/ENOTDIR/);
  } finally {
    await rm(folder, { recursive: true });
  }
});
