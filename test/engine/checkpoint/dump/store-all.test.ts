import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, zstdDecompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { makeStaging, type Staging } from '../../../../daemon/engine/checkpoint/dump/staging.ts';
import { storeAll } from '../../../../daemon/engine/checkpoint/dump/store-all.ts';
import { isCompressible } from '../../../../daemon/engine/files/is-compressible.ts';

let [dir, to, apart] = ['', '', ''];
let staging: Staging;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'store-all-'));
  apart = await mkdtemp('/dev/shm/store-all-');
  to = join(dir, 'pending');
  await mkdir(to);
  await stageIn(dir);
});
afterEach(async () => {
  for (const folder of [dir, apart]) await rm(folder, { recursive: true });
});

async function stageIn(work: string): Promise<void> {
  staging = await makeStaging(join(work, 'work'), 'a');
  await writeFile(staging.record, 'end 0\n');
}

/** Texts shrink, chance does not. */
const text = (megabytes: number) => Buffer.alloc(megabytes << 20, 'to be, or not to be; ');
const chance = (megabytes: number) => randomBytes(megabytes << 20);

async function stored(
  images: Record<string, Buffer>,
  { archive = null, wanted = 'zstd' }: { archive?: Buffer | null; wanted?: 'zstd' | 'none' } = {},
) {
  for (const [name, content] of Object.entries(images)) await writeFile(join(staging.images, name), content);
  if (archive) await writeFile(staging.archive, archive);
  const taken = { staging, criuVersion: '4.2.1', carried: archive && ['/tmp/x'] };
  return storeAll(to, taken, wanted, new AbortController().signal);
}

describe.each([
  ['beside the store', () => dir],
  ['on another file system', () => apart],
])('%s,', (_, work) => {
  beforeEach(async () => {
    if (work() !== dir) await stageIn(work());
    expect((await stat(work())).dev === (await stat(to)).dev).toBe(work() === dir);
  });

  test('what shrinks is compressed, small images and large ones', async () => {
    const images = { 'pages-1.img': text(9), 'core-1.img': chance(0), 'a.img': Buffer.from('a') };
    const { compress, images: told, archive } = await stored(images, { archive: text(1) });
    expect(compress).toBe('zstd');
    expect(told.map(({ name, bytes }) => [name, bytes])).toEqual([
      ['a.img', 1],
      ['core-1.img', 0],
      ['pages-1.img', 9 << 20],
    ]);
    expect((await readdir(join(to, 'images'))).sort()).toEqual([
      'a.img.zst',
      'core-1.img.zst',
      'pages-1.img.zst',
    ]);
    const pages = await readFile(join(to, 'images/pages-1.img.zst'));
    expect(zstdDecompressSync(pages).equals(images['pages-1.img'])).toBe(true);
    expect(told[2]!.storedBytes).toBe(pages.length);
    expect(archive).toEqual({
      name: 'local.tar.zst',
      bytes: (await readFile(join(to, 'local.tar.zst'))).length,
    });
    expect((await readdir(to)).sort()).toEqual(['images', 'local.tar.zst', 'record.zst']);
  });

  test('what does not shrink is stored as it is, all of the checkpoint, with its checksums', async () => {
    const images = { 'pages-1.img': chance(9), 'core-1.img': Buffer.from('core') };
    const { compress, images: told, archive } = await stored(images, { archive: text(1) });
    expect(compress).toBe('none');
    expect(told).toEqual([
      { name: 'core-1.img', bytes: 4, storedBytes: 4, crc32: crc32('core') },
      { name: 'pages-1.img', bytes: 9 << 20, storedBytes: 9 << 20, crc32: crc32(images['pages-1.img']) },
    ]);
    expect((await readFile(join(to, 'images/pages-1.img'))).equals(images['pages-1.img'])).toBe(true);
    expect(archive).toEqual({ name: 'local.tar', bytes: 1 << 20, crc32: crc32(text(1)) });
    expect((await readdir(to)).sort()).toEqual(['images', 'local.tar', 'record.zst']);
  });
});

test('nothing is compressed where nothing shall be', async () => {
  expect(await stored({ 'pages-1.img': text(9) }, { wanted: 'none' })).toMatchObject({ compress: 'none' });
});

test('the look at what shrinks is spread over all files', async () => {
  const files = await Promise.all(
    Object.entries({ 'a.img': chance(4), 'b.img': text(12), 'c.img': chance(4) }).map(
      async ([name, content]) => {
        const path = join(dir, name);
        await writeFile(path, content);
        return { path, bytes: content.length };
      },
    ),
  );
  expect(await isCompressible(files)).toBe(true);
  expect(await isCompressible([files[0]!, files[2]!])).toBe(false);
  // Not worth a look.
  expect(await isCompressible([files[0]!])).toBe(true);
});
