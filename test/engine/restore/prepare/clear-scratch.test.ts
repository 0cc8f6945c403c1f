import { chmod, chown, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { clearScratch } from '../../../../daemon/engine/restore/prepare/clear-scratch.ts';
import { Lanes } from '../../../../daemon/system/lanes.ts';
import { systemExec } from '../../../../daemon/system/process/exec.ts';

const OWNER = 23_456;

describe.skipIf(process.getuid?.() !== 0)('with the rights of the owner (needs root)', () => {
  let dir: string;
  let own: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'scratch-'));
    await chmod(dir, 0o755);
    own = join(dir, '7');
    await make('7', OWNER);
  });
  afterEach(() => rm(dir, { recursive: true }));

  async function make(name: string, uid: number): Promise<string> {
    const path = join(dir, name);
    await mkdir(path);
    await chown(path, uid, uid);
    return path;
  }
  async function put(path: string): Promise<void> {
    await writeFile(path, 'text');
    await chown(path, OWNER, OWNER);
  }
  const clear = (scratch: readonly string[], carried: readonly string[] = [own]) =>
    clearScratch(
      { exec: systemExec(), lanes: new Lanes(), scratch },
      { uid: OWNER, gid: OWNER, groups: [] },
      { jobId: 7, carried: [...carried] },
      null,
    );

  test('a scratch folder of the job’s own is empty afterwards, read-only folders and odd names too', async () => {
    for (const name of ['-delete', 'new\nline', '.hidden']) await put(join(own, name));
    const closed = await make('7/closed', OWNER);
    await put(join(closed, 'file'));
    await chmod(closed, 0o500);
    expect(await clear([join(dir, '%j')])).toEqual({ ok: true });
    expect(await readdir(own)).toEqual([]);
  });

  test('one of all jobs, one of another job, and one that the checkpoint has not stay as they are', async () => {
    const other = await make('8', OWNER);
    for (const folder of [own, other]) await put(join(folder, 'file'));
    expect(await clear([dir])).toEqual({ ok: true });
    expect(await clear([join(dir, '%j')], [])).toEqual({ ok: true });
    expect(await readdir(own)).toEqual(['file']);
    await clear([join(dir, '%j')]);
    expect(await readdir(other)).toEqual(['file']);
  });

  test('a link in its place, or in it, leads nowhere; what is not the owner’s stays', async () => {
    const victim = await make('victim', OWNER);
    await put(join(victim, 'file'));
    await symlink(victim, join(own, 'link'));
    await mkdir(join(own, 'of-root'));
    await writeFile(join(own, 'of-root/file'), '');
    expect(await clear([join(dir, '%j')])).toEqual({ ok: true });
    expect(await readdir(own)).toEqual(['of-root']);
    expect(await readdir(victim)).toEqual(['file']);
    await rm(own, { recursive: true });
    await symlink(victim, own);
    expect(await clear([join(dir, '%j')])).toEqual({ ok: true });
    expect(await readdir(victim)).toEqual(['file']);
  });
});
