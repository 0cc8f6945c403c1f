import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { storeFile } from '../../../daemon/engine/dump/compress.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'compress-'));
});
afterAll(() => rm(dir, { recursive: true }));

test.each([0, 1, 3_000_000])('%d bytes come back, for root alone, and damage shows', async (size) => {
  const [from, to] = [join(dir, `from-${size}`), join(dir, `to-${size}`)];
  const bytes = randomBytes(size);
  await writeFile(from, bytes);
  const { bytes: told, storedBytes } = await storeFile(from, to, 'zstd');
  const stored = await readFile(to);
  expect([told, storedBytes]).toEqual([size, stored.length]);
  expect(zstdDecompressSync(stored).equals(bytes)).toBe(true);
  expect((await stat(to)).mode & 0o777).toBe(0o600);
  const at = stored.length - 1;
  stored[at] = stored[at]! ^ 1;
  expect(() => zstdDecompressSync(stored)).toThrow();
});

test('as it is', async () => {
  const [from, to] = [join(dir, 'plain'), join(dir, 'copy')];
  await writeFile(from, 'text');
  expect(await storeFile(from, to, 'none')).toEqual({ bytes: 4, storedBytes: 4 });
  expect(await readFile(to, 'utf8')).toBe('text');
});

test('nothing is replaced, and what is gone is an error', async () => {
  const from = join(dir, 'big');
  await writeFile(from, randomBytes(2_000_000));
  await expect(storeFile(from, from, 'none')).rejects.toThrow('EEXIST');
  await expect(storeFile(join(dir, 'none'), join(dir, 'x'), 'zstd')).rejects.toThrow('ENOENT');
});
