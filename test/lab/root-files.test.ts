import { mkdir, mkdtemp, readFile, rm, stat, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { inRoot, writeFiles } from './root-files.ts';

async function makeRoot(): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'lab-root-'));
  onTestFinished(() => rm(root, { recursive: true }));
  await mkdir(join(root, 'usr/bin'), { recursive: true });
  await mkdir(join(root, 'run'));
  await symlink('usr/bin', join(root, 'bin'));
  await mkdir(join(root, 'var'));
  await symlink('/run', join(root, 'var/run'));
  await symlink('../../../../etc', join(root, 'up'));
  await symlink('loop', join(root, 'loop'));
  return root;
}

test('paths stay in the root, whatever links and dots say', async () => {
  const root = await makeRoot();
  expect(await inRoot(root, '/bin/sh')).toBe(join(root, 'usr/bin/sh'));
  expect(await inRoot(root, '/var/run/x')).toBe(join(root, 'run/x'));
  expect(await inRoot(root, '/up/passwd')).toBe(join(root, 'etc/passwd'));
  expect(await inRoot(root, '/../../etc/passwd')).toBe(join(root, 'etc/passwd'));
  await expect(inRoot(root, '/loop/x')).rejects.toThrow('too many symbolic links');
});

test('files get their parents and modes', async () => {
  const root = await makeRoot();
  await writeFiles(root, { '/etc/a/b': 'text', '/var/run/tool': { content: '#!/bin/sh\n', mode: 0o755 } });
  expect(await readFile(join(root, 'etc/a/b'), 'utf8')).toBe('text');
  expect((await stat(join(root, 'etc/a/b'))).mode & 0o777).toBe(0o644);
  expect((await stat(join(root, 'run/tool'))).mode & 0o777).toBe(0o755);
});
