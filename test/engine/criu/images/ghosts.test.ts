import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readGhosts, takeOverGhosts } from '../../../../daemon/engine/criu/images/ghosts.ts';
import { filesImage } from './made-images.ts';

const OWNER = { uid: 2000, gid: 2000, groups: [27] };
const LIBRARY = '/usr/lib/libold.so';

let images: string;
beforeEach(async () => {
  images = await mkdtemp(join(tmpdir(), 'ghosts-'));
});
afterEach(() => rm(images, { recursive: true }));

function image(magic: number, message: readonly number[], content = ''): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt32LE(0x54564319, 0);
  head.writeUInt32LE(magic, 4);
  head.writeUInt32LE(message.length, 8);
  return Buffer.concat([head, Buffer.from(message), Buffer.from(content)]);
}

/** A deleted file: the first of files.img, whose image is ghost-file-9.img. */
async function deleted(uid: number): Promise<void> {
  await writeFile(join(images, 'files.img'), filesImage({ files: [LIBRARY, '/etc/passwd'] }));
  await writeFile(join(images, 'remap-fpath.img'), image(0x59133954, [8, 1, 16, 9, 24, 1]));
  const ids = uid === 0 ? [8, 0, 16, 0] : [8, 0xd0, 0x0f, 16, 0xd0, 0x0f];
  await writeFile(
    join(images, 'ghost-file-9.img'),
    image(0x52583605, [...ids, 24, 0xa4, 0x83, 2], 'content'),
  );
}

test('a file of root becomes its owner’s, and is made in /tmp; what is in it stays', async () => {
  await deleted(0);
  await takeOverGhosts(images, OWNER, 'tag');
  expect(await readGhosts(images)).toEqual(
    new Map([
      [1, { path: '/tmp/.ckptd-tag-ghost-file-9.img', uid: 2000, gid: 2000, name: 'ghost-file-9.img' }],
    ]),
  );
  expect((await readFile(join(images, 'ghost-file-9.img'))).subarray(-7).toString()).toBe('content');
  expect((await readFile(join(images, 'files.img'))).includes('/etc/passwd')).toBe(true);
});

test('a file of the owner’s stays as it is', async () => {
  await deleted(2000);
  const before = await readFile(join(images, 'files.img'));
  await takeOverGhosts(images, OWNER, 'tag');
  expect(await readFile(join(images, 'files.img'))).toEqual(before);
  expect(await readGhosts(images)).toMatchObject(new Map([[1, { path: LIBRARY, uid: 2000 }]]));
});

test('of a file of the owner’s nothing but the head of its image is read, however large it is', async () => {
  await deleted(2000);
  // More than readFile takes.
  await truncate(join(images, 'ghost-file-9.img'), 3 * 2 ** 30);
  await takeOverGhosts(images, OWNER, 'tag');
  expect(await readGhosts(images)).toMatchObject(new Map([[1, { uid: 2000 }]]));
});

test('without a deleted file there is nothing to do', async () => {
  expect(await readGhosts(images)).toEqual(new Map());
});
