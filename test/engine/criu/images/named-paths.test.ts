import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { namedPaths } from '../../../../daemon/engine/criu/images/named-paths.ts';
import { filesImage } from './made-images.ts';

let images = '';
beforeEach(() => {
  images = mkdtempSync(join(tmpdir(), 'named-paths-'));
});
afterEach(() => rmSync(images, { recursive: true }));

const write = (image: Buffer) => writeFileSync(join(images, 'files.img'), image);

test('names of sockets, and of what is watched, are read from the images of CRIU', async () => {
  write(
    filesImage({
      files: ['/home/ann/out', '/home/ann/\xff', '/'],
      sockets: [
        { name: '/tmp/x/sock\0' },
        { name: 'relative', folder: '/home/ann' },
        { name: '/home/\xff' },
        { name: '\0abstract' },
        { name: '' },
        { name: '/dev/log', extern: true },
      ],
      watches: [['/home/ann', '/home/ann/out'], []],
    }),
  );
  expect(await namedPaths(images)).toEqual({
    sockets: ['/tmp/x/sock', '/home/ann/relative', '/home/\xff'],
    peers: ['/dev/log'],
    watched: ['/home/ann', '/home/ann/out'],
    unfit: null,
  });
});

test.each([
  [
    'a watch without a path',
    { watches: [['/home/ann', null]] },
    'it watches something that has no path any more (inotify)',
  ],
  ['fanotify', { fanotify: true }, 'it has a descriptor of fanotify'],
])('%s is nothing that an owner can restore', async (_, held, why) => {
  write(filesImage(held));
  expect(await namedPaths(images)).toMatchObject({ unfit: why });
});

test('an image that is cut anywhere, or is another, is said to be', async () => {
  const image = filesImage({ files: ['/home/ann/out'], sockets: [{ name: '/tmp/sock' }] });
  const ends = [8, 8 + 4 + image.readUInt32LE(8)];
  ends.push(ends[1]! + 4 + image.readUInt32LE(ends[1]!), image.length);
  for (let length = 0; length < image.length; length++) {
    write(image.subarray(0, length));
    const what = length < 8 ? 'files.img is none of CRIU' : 'files.img is cut';
    expect([length, await namedPaths(images)]).toEqual([
      length,
      ends.includes(length) ? expect.anything() : what,
    ]);
  }
  for (let at = 8; at < image.length; at++) {
    const spoilt = Buffer.from(image);
    spoilt[at]! ^= 0xff;
    write(spoilt);
    // Whatever it says then, it says something.
    expect(await namedPaths(images)).toBeDefined();
  }
});
