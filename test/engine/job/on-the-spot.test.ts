import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { cgroupMembers } from '../../../daemon/engine/job/members.ts';

test('a cgroup that is gone has no members; one that cannot be read is an error, not an empty one', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ckptd-members-'));
  try {
    expect(await cgroupMembers(join(folder, 'gone'))).toEqual([]);
    await writeFile(join(folder, 'file'), '');
    await expect(cgroupMembers(join(folder, 'file'))).rejects.toThrow(/ENOTDIR/);
  } finally {
    await rm(folder, { recursive: true });
  }
});
