import { execFile } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { archiveFiles } from '../../../../daemon/engine/checkpoint/dump/archive.ts';
import { makeStaging, type Staging } from '../../../../daemon/engine/checkpoint/dump/staging.ts';
import { Lanes } from '../../../../daemon/system/lanes.ts';
import { systemExec } from '../../../../daemon/system/process/exec.ts';

const run = promisify(execFile);
const OWNER = 23_456;
const owner = {
  pid: 1,
  ppid: 1,
  state: 'S',
  startTime: 1,
  name: 'job',
  uids: [OWNER, OWNER, OWNER, OWNER],
  gid: OWNER,
  groups: [],
  nsPids: [1],
  privateBytes: 0,
  sharedBytes: 0,
  inheritable: 0n,
  hasSeccompFilter: false,
  noNewPrivs: false,
};

describe.skipIf(process.getuid?.() !== 0)('as the owner (needs root)', () => {
  let dir: string;
  let local: string;
  let staging: Staging;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'archive-'));
    await chmod(dir, 0o755);
    local = join(dir, 'local');
    await mkdir(local);
    await chown(local, OWNER, OWNER);
    staging = await makeStaging(join(dir, 'work'), 'a');
  });
  afterEach(() => rm(dir, { recursive: true }));

  const pack = (paths: readonly string[], scratch: readonly string[] = []) =>
    archiveFiles({ exec: systemExec(), lanes: new Lanes(), scratch }, owner, staging, { jobId: 7, paths });

  test('a disk that is too small for them ends the packing, not the node', async () => {
    const disk = join(dir, 'disk');
    await mkdir(disk);
    await run('mount', ['-t', 'tmpfs', '-o', 'size=260m,mode=755', 'tmpfs', disk]);
    try {
      const archiver = { exec: systemExec(), lanes: new Lanes(), scratch: [] };
      const packThere = async (path: string) => {
        await using there = await makeStaging(disk, 'a');
        return await archiveFiles(archiver, owner, there, { jobId: 7, paths: [path] });
      };
      expect(await packThere(await own('big', 'x'.repeat(8 * 1024 * 1024)))).toEqual({
        ok: false,
        message: expect.stringContaining('do not fit'),
      });
      expect(await packThere(await own('small', 'x'))).toMatchObject({ ok: true });
    } finally {
      await run('umount', [disk]);
    }
  });

  async function own(name: string, text: string, mode = 0o600): Promise<string> {
    const path = join(local, name);
    await writeFile(path, text, { mode });
    await chown(path, OWNER, OWNER);
    return path;
  }

  /** Names below the test's own folder. */
  async function packed(): Promise<string[]> {
    const { stdout } = await run('tar', ['--list', '--quoting-style=c', '--file', staging.archive]);
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => String(JSON.parse(line)).replace(`.${local}`, ''));
  }

  test('open files and scratch folders, whatever they are called', async () => {
    const names = ['plain', 'new\nline', '-rf', 'sp ace', '--checkpoint-action=exec=sh', 'ü', '\\n*'];
    for (const name of names) await own(name, name);
    await mkdir(join(local, 'sub'));
    await chown(join(local, 'sub'), OWNER, OWNER);
    await own('sub/deep', 'deep');
    await writeFile(join(local, 'of-root'), 'not theirs', { mode: 0o644 });
    const answer = await pack([join(local, 'plain'), join(local, 'sub')], [local]);
    expect(answer).toMatchObject({ ok: true, warning: null });
    const wanted = [local, ...[...names, 'sub', 'sub/deep'].map((name) => `${local}/${name}`)];
    expect(answer.ok && [...answer.carried].sort()).toEqual(wanted.sort());
    expect((await packed()).sort()).toEqual(
      ['', ...names, 'sub/', 'sub/deep'].map((name) => `/${name}`).sort(),
    );
  });

  test('the folders on the way to a file where they are the owner’s, and a scratch folder of the job’s own', async () => {
    for (const folder of ['a', 'a/b', '7', '8']) {
      await mkdir(join(local, folder));
      await chown(join(local, folder), OWNER, OWNER);
    }
    const file = await own('a/b/file', 'open');
    await own('7/mine', 'of this job');
    await own('8/other', 'of another job of theirs');
    await chown(local, 0, 0);
    expect(await pack([file], [join(local, '%j')])).toMatchObject({ ok: true });
    expect(await packed()).toEqual(['/a/', '/a/b/', '/a/b/file', '/7/', '/7/mine']);
  });

  test('nothing that the owner may not read, by whatever name', async () => {
    await writeFile(join(dir, 'secret'), 'of root', { mode: 0o600 });
    const swapped = await own('swapped', 'mine');
    await rename(swapped, `${swapped}.old`);
    await symlink(join(dir, 'secret'), swapped);
    expect(await pack([swapped])).toMatchObject({ ok: true });
    expect(await readFile(staging.archive, 'latin1')).not.toContain('of root');
    const refused = await pack([join(dir, 'secret')]);
    expect(refused).toMatchObject({ ok: false, message: expect.stringContaining('Permission denied') });
  });

  test('a folder on the way that became a link to elsewhere leads only where the owner may go', async () => {
    await mkdir(join(dir, 'private'), { mode: 0o700 });
    await writeFile(join(dir, 'private/file'), 'of root', { mode: 0o644 });
    await symlink(join(dir, 'private'), join(local, 'folder'));
    expect(await pack([join(local, 'folder/file')])).toMatchObject({ ok: false });
    expect(await readFile(staging.archive, 'latin1')).not.toContain('of root');
  });

  test('a FIFO does not hold it up', async () => {
    const path = join(local, 'fifo');
    await run('mkfifo', [path]);
    await chown(path, OWNER, OWNER);
    expect(await pack([path])).toMatchObject({ ok: true });
    expect(await packed()).toEqual(['/', '/fifo']);
  });

  test('a file that went away meanwhile fails, and says which', async () => {
    expect(await pack([join(local, 'gone')])).toMatchObject({
      ok: false,
      message: expect.stringContaining('local/gone: Cannot stat: No such file'),
    });
  });

  test('nothing to carry is an empty archive', async () => {
    expect(await pack([])).toEqual({ ok: true, carried: [], warning: null });
    expect(await packed()).toEqual([]);
  });
});
