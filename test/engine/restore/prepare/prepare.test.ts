import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { constants, zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { storeFile } from '../../../../daemon/engine/files/compress.ts';
import type { Found } from '../../../../daemon/engine/ports.ts';
import { prepare } from '../../../../daemon/engine/restore/prepare/prepare.ts';
import { placesOf } from '../../../../daemon/engine/restore/run/places.ts';
import { foundOf } from '../support.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ckptd-prepare-'));
  mkdirSync(join(folder, 'images'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const PAGES = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7919) % 251));
const places = () => placesOf(join(folder, 'work'), 7, 1);
const stored = (name: string) => join(folder, 'images', name);
const modeOf = (path: string) => (statSync(path).mode & 0o7777).toString(8);

/** A checkpoint as the dump's side stores it. */
async function checkpoint(compress: 'zstd' | 'none' = 'zstd'): Promise<Found> {
  const suffix = compress === 'zstd' ? '.zst' : '';
  const images = [];
  for (const [name, content] of [
    ['core-1.img', Buffer.from('core')],
    ['pages-1.img', PAGES],
    ['empty.img', Buffer.alloc(0)],
  ] as const) {
    const from = join(folder, name);
    writeFileSync(from, content);
    images.push({ name, ...(await storeFile(from, stored(name + suffix), compress)) });
  }
  const archive = `local.tar${suffix}`;
  writeFileSync(join(folder, 'tar'), PAGES);
  const { storedBytes, crc32 } = await storeFile(join(folder, 'tar'), join(folder, archive), compress);
  return foundOf(
    { compress, images, archive: { name: archive, bytes: storedBytes, crc32 } },
    { dir: folder },
  );
}

test('images and archive are unpacked as they were', async () => {
  const found = await checkpoint();
  // What an earlier try left is no hindrance.
  await prepare(found, places());
  expect(await prepare(found, places())).toEqual({ ok: true, images: places().images });
  expect(readdirSync(places().images).sort()).toEqual(['core-1.img', 'empty.img', 'pages-1.img']);
  expect(readFileSync(join(places().images, 'pages-1.img')).equals(PAGES)).toBe(true);
  expect(readFileSync(places().archive).equals(PAGES)).toBe(true);
});

test('what is not compressed stays where it is', async () => {
  const found = await checkpoint('none');
  expect(await prepare(found, places())).toEqual({ ok: true, images: join(folder, 'images') });
  truncateSync(stored('pages-1.img'), 5);
  expect(await prepare(found, places())).toEqual({
    ok: false,
    damaged: true,
    message: 'its image pages-1.img has 5 bytes and not 300000',
  });
  rmSync(stored('pages-1.img'));
  expect(await prepare(found, places())).toMatchObject({ message: 'its image pages-1.img is missing' });
});

const packed = () => readFileSync(stored('pages-1.img.zst'));

test.each<[string, () => void, RegExp]>([
  ['a missing image', () => rmSync(stored('pages-1.img.zst')), /^its image pages-1.img.zst is missing$/],
  ['a truncated image', () => truncateSync(stored('pages-1.img.zst'), 100), /has 100 bytes and not \d+$/],
  [
    'a folder in its place',
    () => {
      rmSync(stored('pages-1.img.zst'));
      mkdirSync(stored('pages-1.img.zst'));
    },
    /^its image pages-1.img.zst is no file$/,
  ],
  [
    'a byte that fell over',
    () => {
      const bytes = packed();
      bytes[bytes.length >> 1]! ^= 0x10;
      writeFileSync(stored('pages-1.img.zst'), bytes);
    },
    /^its image pages-1.img.zst cannot be decompressed: /,
  ],
  [
    'a wrong checksum',
    () => {
      const bytes = packed();
      bytes[bytes.length - 1]! ^= 0x10;
      writeFileSync(stored('pages-1.img.zst'), bytes);
    },
    /^its image pages-1.img.zst cannot be decompressed: /,
  ],
  ['nothing', () => writeFileSync(stored('pages-1.img.zst'), ''), /has 0 bytes and not \d+$/],
  [
    'something else',
    () => writeFileSync(stored('pages-1.img.zst'), Buffer.alloc(packed().length)),
    /^its image pages-1.img.zst is no zstd file$/,
  ],
])('%s is damage, and says which', async (_, spoil, message) => {
  const found = await checkpoint();
  spoil();
  expect(await prepare(found, places())).toEqual({
    ok: false,
    damaged: true,
    message: expect.stringMatching(message),
  });
});

/** The checkpoint, with `content` in the place of its pages and a manifest that says so. */
async function instead(content: Buffer, bytes = PAGES.length): Promise<Found> {
  const { manifest, ...rest } = await checkpoint();
  writeFileSync(stored('pages-1.img.zst'), content);
  const images = manifest.images.map((image) =>
    image.name === 'pages-1.img' ? { ...image, bytes, storedBytes: content.length } : image,
  );
  return { ...rest, manifest: { ...manifest, images } };
}

const zip = (content: Buffer, checksum = 1): Buffer =>
  zstdCompressSync(content, { params: { [constants.ZSTD_c_checksumFlag]: checksum } });

test.each([0, 3, 4])(
  'an image of %d bytes is no zstd file, even where the manifest says so',
  async (bytes) => {
    expect(await prepare(await instead(zip(PAGES).subarray(0, bytes)), places())).toMatchObject({
      damaged: true,
      message: 'its image pages-1.img.zst is no zstd file',
    });
  },
);

test('images, large and small, are for everybody to read who is given their folder, and for nobody to write', async () => {
  const { manifest } = await instead(zip(Buffer.alloc(3_000_000)), 3_000_000);
  expect(await prepare(foundOf(manifest, { dir: folder }), places())).toMatchObject({ ok: true });
  for (const name of ['core-1.img', 'pages-1.img', 'empty.img'])
    expect(modeOf(join(places().images, name))).toBe('444');
  expect(modeOf(places().images)).toBe('555');
});

test('nobody but root comes to their folder by a path, and the archive is for root alone', async () => {
  await prepare(await checkpoint(), places());
  expect([modeOf(dirname(places().dir)), modeOf(places().dir), modeOf(places().archive)]).toEqual([
    '700',
    '700',
    '600',
  ]);
});

test('images that stay where they are can be read there, too', async () => {
  const found = await checkpoint('none');
  chmodSync(stored('core-1.img'), 0o600);
  chmodSync(join(folder, 'images'), 0o700);
  expect(await prepare(found, places())).toMatchObject({ ok: true });
  expect([modeOf(stored('core-1.img')), modeOf(join(folder, 'images'))]).toEqual(['444', '555']);
});

test('images that were not whole are not made readable', async () => {
  const found = await checkpoint('none');
  chmodSync(join(folder, 'images'), 0o700);
  truncateSync(stored('pages-1.img'), 5);
  expect(await prepare(found, places())).toMatchObject({ ok: false });
  expect(modeOf(join(folder, 'images'))).toBe('700');
});

test('an image without a checksum could be anything', async () => {
  expect(await prepare(await instead(zip(PAGES, 0)), places())).toMatchObject({
    damaged: true,
    message: 'its image pages-1.img.zst has no checksum',
  });
});

test('an image that ends in the middle of its data is damage even where the manifest says so', async () => {
  const whole = zip(PAGES);
  expect(await prepare(await instead(whole.subarray(0, whole.length - 9)), places())).toMatchObject({
    ok: false,
    damaged: true,
  });
});

test.each([PAGES.length, 0, 3_000_000])(
  'what unpacks to more than the %d bytes that the manifest says is cut off there',
  async (bytes) => {
    const bomb = zip(Buffer.alloc(100_000_000));
    expect(await prepare(await instead(bomb, bytes), places())).toEqual({
      ok: false,
      damaged: true,
      message: `its image pages-1.img.zst holds more than ${bytes} bytes`,
    });
    const [there] = readdirSync(places().images).filter((name) => name === 'pages-1.img');
    if (there) expect(statSync(join(places().images, there)).size).toBeLessThanOrEqual(bytes);
  },
);

test('an image of many blocks comes back, and a byte of it that fell over is damage', async () => {
  const content = randomBytes(5_000_001);
  const found = await instead(zip(content), content.length);
  expect(await prepare(found, places())).toMatchObject({ ok: true });
  expect(readFileSync(join(places().images, 'pages-1.img')).equals(content)).toBe(true);
  const bytes = packed();
  bytes[3_000_000]! ^= 1;
  writeFileSync(stored('pages-1.img.zst'), bytes);
  expect(await prepare(found, places())).toMatchObject({
    damaged: true,
    message: expect.stringMatching(/^its image pages-1.img.zst cannot be decompressed: /),
  });
});

test('a byte that fell over shows in what is not compressed, too', async () => {
  const found = await checkpoint('none');
  const bytes = readFileSync(stored('pages-1.img'));
  bytes[bytes.length >> 1]! ^= 0x10;
  writeFileSync(stored('pages-1.img'), bytes);
  expect(await prepare(found, places())).toEqual({
    ok: false,
    damaged: true,
    message: 'its image pages-1.img is damaged: its checksum is another one',
  });
});

test('an engine before this one made no checksums of what it did not compress: its checkpoints are good', async () => {
  const { manifest, ...rest } = await checkpoint('none');
  const images = manifest.images.map(({ name, bytes, storedBytes }) => ({ name, bytes, storedBytes }));
  const { name, bytes } = manifest.archive!;
  const found = { ...rest, manifest: { ...manifest, images, archive: { name, bytes } } };
  expect(await prepare(found, places())).toEqual({ ok: true, images: join(folder, 'images') });
});

test('what unpacks to less than the manifest says is damage', async () => {
  expect(await prepare(await instead(zip(Buffer.from('few'))), places())).toMatchObject({
    message: `its image pages-1.img.zst holds 3 bytes and not ${PAGES.length}`,
  });
});

test('an archive is looked at in the same way', async () => {
  const found = await checkpoint();
  const archive = join(folder, found.manifest.archive!.name);
  const bytes = readFileSync(archive);
  bytes[bytes.length - 2]! ^= 1;
  writeFileSync(archive, bytes);
  expect(await prepare(found, places())).toMatchObject({
    damaged: true,
    message: expect.stringMatching(/^its archive local.tar.zst cannot be decompressed/),
  });
});

test('a disk that is too small is said before anything is written, and is no damage', async () => {
  const found = await checkpoint();
  const images = [{ name: 'huge.img', bytes: 2 ** 52, storedBytes: 10 }];
  const answer = await prepare({ ...found, manifest: { ...found.manifest, images } }, places());
  expect(answer).toEqual({
    ok: false,
    damaged: false,
    message: expect.stringMatching(/^it needs 4294967296 MiB in .*\/7\.1, and \d+ MiB are free$/),
  });
  expect(readdirSync(places().images)).toEqual([]);
});
