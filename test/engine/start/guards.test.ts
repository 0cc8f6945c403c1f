import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { namedPaths } from '../../../daemon/engine/images/named-paths.ts';
import { guardsOf, keepFromLinks } from '../../../daemon/engine/start/guards.ts';
import { isRoot, OWNER } from '../as-owner/support.ts';
import { filesImage } from '../images/made-images.ts';

/** A folder that root alone can change, and so can those above it. */
let root = '';
beforeEach(() => {
  root = mkdtempSync('/var/ckptd-guards-');
  chmodSync(root, 0o755);
});
afterEach(() => rmSync(root, { recursive: true }));

function folder(name: string, mode = 0o755, uid = 0): string {
  const path = join(root, name);
  mkdirSync(path, { recursive: true });
  chmodSync(path, mode);
  chownSync(path, uid, 0);
  return path;
}

const asRoot = test.runIf(isRoot);

asRoot('files of the system need no guard', async () => {
  const paths = ['/usr/bin/env', '/dev/null', join(folder('a/b'), 'file'), join(root, 'not/there')];
  expect(await guardsOf(paths)).toEqual({ ok: true, folders: [] });
});

asRoot.each([
  ['an owner', 0o755, OWNER.uid],
  ['everybody', 0o777, 0],
  ['everybody, each their own', 0o1777, 0],
  ['a group', 0o775, 0],
])('a folder that %s can change is guarded, and what is below it with it', async (_, mode, uid) => {
  const open = folder('open', mode, uid);
  folder('open/deep', 0o755, 0);
  expect(await guardsOf([join(open, 'deep/er/file'), join(open, 'file'), join(root, 'file')])).toEqual({
    ok: true,
    folders: [open],
  });
});

asRoot("root's own links are followed, as /bin is one", async () => {
  const home = folder('data/home', 0o755, OWNER.uid);
  symlinkSync('data', join(root, 'link'));
  symlinkSync('nowhere', join(root, 'broken'));
  expect(await guardsOf([join(root, 'link/home/file'), join(root, 'broken/file')])).toEqual({
    ok: true,
    folders: [home],
  });
});

asRoot('what cannot be guarded is refused', async () => {
  const bad = folder('line\nbreak', 0o777);
  expect(await guardsOf([join(bad, 'file')])).toMatchObject({
    ok: false,
    message: expect.stringMatching(/^on the way to .* links cannot be kept from being followed$/),
  });
  const many = Array.from({ length: 65 }, (_, index) => join(folder(`home-${index}`, 0o777), 'file'));
  expect(await guardsOf(many)).toEqual({ ok: false, message: 'its files are in more than 64 places' });
});

test('names of files and sockets are read from the images of CRIU', async () => {
  const image = filesImage({
    files: ['/home/ann/out', '/home/ann/\xff', '/'],
    sockets: [
      { name: '/tmp/x/sock\0' },
      { name: 'relative', folder: '/home/ann' },
      { name: '\0abstract' },
      { name: '' },
      { name: '/dev/log', extern: true },
    ],
    watches: [['/home/ann', '/home/ann/out'], []],
  });
  writeFileSync(join(root, 'files.img'), image);
  expect(await namedPaths(root)).toEqual({
    files: ['/home/ann/out', '/home/ann/\xff', '/', '/home/ann'],
    sockets: ['/tmp/x/sock', '/home/ann/relative'],
    peers: ['/dev/log'],
    watched: ['/home/ann', '/home/ann/out'],
    unfit: null,
  });
});

test('an image that is cut anywhere, or is another, is said to be', async () => {
  const image = filesImage({ files: ['/home/ann/out'], sockets: [{ name: '/tmp/sock' }] });
  const ends = [8, 8 + 4 + image.readUInt32LE(8)];
  ends.push(ends[1]! + 4 + image.readUInt32LE(ends[1]!), image.length);
  for (let length = 0; length < image.length; length++) {
    writeFileSync(join(root, 'files.img'), image.subarray(0, length));
    const what = length < 8 ? 'files.img is none of CRIU' : 'files.img is cut';
    expect([length, await namedPaths(root)]).toEqual([
      length,
      ends.includes(length) ? expect.anything() : what,
    ]);
  }
  for (let at = 8; at < image.length; at++) {
    const spoilt = Buffer.from(image);
    spoilt[at]! ^= 0xff;
    writeFileSync(join(root, 'files.img'), spoilt);
    // Whatever it says then, it says something.
    expect(await namedPaths(root)).toBeDefined();
  }
});

asRoot('on the way to what is watched no link is followed', async () => {
  const home = folder('home', 0o755, OWNER.uid);
  writeFileSync(join(root, 'files.img'), filesImage({ watches: [[join(home, 'inbox')]] }));
  expect(await keepFromLinks(root, '6.1.0')).toMatchObject({ ok: true, folders: [home] });
});

test.each([
  ['a watch without a path', { watches: [['/home/ann', null]] }, /watches something that has no path/],
  ['fanotify', { fanotify: true }, /fanotify/],
])('%s is not restored: nobody could look at it', async (_, held, why) => {
  writeFileSync(join(root, 'files.img'), filesImage(held));
  expect(await keepFromLinks(root)).toEqual({ ok: false, message: expect.stringMatching(why) });
});

asRoot('a kernel that cannot guard restores only what CRIU need not make by name', async () => {
  const home = folder('home', 0o755, OWNER.uid);
  const images = folder('images');
  const write = (image: Buffer) => writeFileSync(join(images, 'files.img'), image);
  write(filesImage({ files: [join(home, 'out'), '/proc/5/stat'] }));
  expect(await keepFromLinks(images, '5.14.0-503.el9')).toMatchObject({ ok: true, folders: [home] });
  expect(await keepFromLinks(images, '4.18.0-553.el8')).toMatchObject({ ok: true, folders: [] });
  const old = {
    ok: false,
    message: `it holds sockets with names, or deleted files, in ${home}, which takes Linux 5.14, and this is 4.18.0`,
  };
  writeFileSync(join(images, 'remap-fpath.img'), '');
  expect(await keepFromLinks(images, '4.18.0')).toEqual(old);
  rmSync(join(images, 'remap-fpath.img'));
  write(filesImage({ sockets: [{ name: join(home, 'sock') }] }));
  expect(await keepFromLinks(images, '4.18.0')).toEqual(old);
  expect(await keepFromLinks(images, '6.1.0')).toMatchObject({ ok: true, folders: [home] });
  write(filesImage({ sockets: [{ name: join(home, 'log'), extern: true }] }));
  expect(await keepFromLinks(images, '4.18.0')).toEqual(old);
  const names = { sockets: [], peers: [join(home, 'log')] };
  expect(await keepFromLinks(images, '6.1.0')).toEqual({ ok: true, folders: [home], names });
});
