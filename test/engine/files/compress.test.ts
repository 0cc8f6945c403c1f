import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, zstdDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { storeFile } from '../../../daemon/engine/files/compress.ts';
import { moveFile } from '../../../daemon/engine/files/copy-file.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'compress-'));
});
afterAll(() => rm(dir, { recursive: true }));

test.each([0, 1, 3_000_000, 20_000_001])(
  '%d bytes come back, for root alone, and damage shows',
  async (size) => {
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
  },
);

test('as it is', async () => {
  const [from, to] = [join(dir, 'plain'), join(dir, 'copy')];
  await writeFile(from, 'text');
  expect(await storeFile(from, to, 'none')).toEqual({ bytes: 4, storedBytes: 4, crc32: crc32('text') });
  expect(await readFile(to, 'utf8')).toBe('text');
});

test('as it is, in many blocks', async () => {
  const [from, to] = [join(dir, 'blocks'), join(dir, 'blocks-copy')];
  const bytes = randomBytes(50_000_001);
  await writeFile(from, bytes);
  const size = bytes.length;
  expect(await storeFile(from, to, 'none')).toEqual({ bytes: size, storedBytes: size, crc32: crc32(bytes) });
  expect((await readFile(to)).equals(bytes)).toBe(true);
});

test.each(['zstd', 'none'] as const)('%s stops where it is told to', async (compress) => {
  const from = join(dir, `long-${compress}`);
  await writeFile(from, randomBytes(8_000_000));
  const stop = AbortSignal.abort(new Error('the engine ends'));
  await expect(storeFile(from, join(dir, `stopped-${compress}`), compress, stop)).rejects.toThrow(
    /the engine ends|aborted/,
  );
});

test('a file that is moved is the same one, and gone from where it was', async () => {
  const [from, to] = [join(dir, 'before'), join(dir, 'after')];
  await writeFile(from, 'text');
  const { ino } = await stat(from);
  expect(await moveFile(from, to)).toEqual({ bytes: 4, storedBytes: 4, crc32: crc32('text') });
  expect([(await stat(to)).ino, (await stat(to)).nlink]).toEqual([ino, 1]);
  await expect(stat(from)).rejects.toThrow('ENOENT');
});

test('to another file system it is copied', async () => {
  const other = await mkdtemp('/dev/shm/compress-');
  try {
    const from = join(dir, 'far');
    await writeFile(from, 'text');
    expect((await stat(other)).dev).not.toBe((await stat(from)).dev);
    expect(await moveFile(from, join(other, 'far'))).toMatchObject({ bytes: 4, crc32: crc32('text') });
    expect(await readFile(join(other, 'far'), 'utf8')).toBe('text');
  } finally {
    await rm(other, { recursive: true });
  }
});

test('nothing is replaced, and what is gone is an error', async () => {
  const from = join(dir, 'big');
  await writeFile(from, randomBytes(2_000_000));
  await expect(storeFile(from, from, 'none')).rejects.toThrow('EEXIST');
  await expect(storeFile(join(dir, 'none'), join(dir, 'x'), 'zstd')).rejects.toThrow('ENOENT');
  await expect(moveFile(from, join(dir, 'plain'))).rejects.toThrow('EEXIST');
});
