import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { inFlight } from '../../../daemon/engine/images/in-flight.ts';
import { keepFromLinks, whyInFlight } from '../../../daemon/engine/start/guards.ts';
import { isRoot, OWNER } from '../as-owner/support.ts';
import { filesImage, queuesImage, remapsImage } from '../images/made-images.ts';

/** Of root alone; `home` in it is the owner's. */
let root = '';
let home = '';
beforeEach(() => {
  root = mkdtempSync('/var/ckptd-flight-');
  chmodSync(root, 0o755);
  home = join(root, 'home');
  mkdirSync(home);
  if (isRoot) chownSync(home, OWNER.uid, OWNER.gid);
  files(['/usr/bin/env', join(home, 'data'), join(home, 'gone')]);
});
afterEach(() => rmSync(root, { recursive: true }));

const write = (name: string, image: Buffer) => writeFileSync(join(root, name), image);
const files = (names: readonly string[]) => write('files.img', filesImage({ files: names }));

test('what is on its way is read from the images of CRIU', async () => {
  expect(await inFlight(root)).toEqual({ files: [], deleted: [] });
  write('sk-queues.img', queuesImage([[], []]));
  expect(await inFlight(root)).toEqual({ files: [], deleted: [] });
  write('sk-queues.img', queuesImage([[], [1], [2, 3]]));
  const all = ['/usr/bin/env', join(home, 'data'), join(home, 'gone')];
  expect(await inFlight(root)).toEqual({ files: all, deleted: [] });
  write(
    'remap-fpath.img',
    remapsImage([
      [3, 1],
      [2, 0],
    ]),
  );
  expect(await inFlight(root)).toEqual({ files: all.slice(0, 2), deleted: all.slice(2) });
});

test.runIf(isRoot)('so is what a descriptor on its way watches', async () => {
  write('files.img', filesImage({ watches: [[join(home, 'inbox')]] }));
  write('sk-queues.img', queuesImage([[100]]));
  expect(await inFlight(root)).toEqual({ files: [join(home, 'inbox')], deleted: [] });
  expect(await keepFromLinks(root, '6.1.0')).toMatchObject({ ok: false });
});

test('an image of queues that is cut anywhere, or is another, is said to be', async () => {
  const image = queuesImage([[1], [2]]);
  const said = new Set<unknown>();
  for (let length = 0; length < image.length; length++) {
    write('sk-queues.img', image.subarray(0, length));
    const found = await inFlight(root);
    if (typeof found === 'string') said.add(found);
    // After a whole packet, nobody can tell.
    else expect(found.files.length).toBeLessThan(2);
  }
  expect(said).toEqual(new Set(['sk-queues.img is none of CRIU', 'sk-queues.img is cut']));
  for (let at = 8; at < image.length; at++) {
    const spoilt = Buffer.from(image);
    spoilt[at]! ^= 0xff;
    write('sk-queues.img', spoilt);
    expect(await inFlight(root)).toBeDefined();
  }
});

test.runIf(isRoot)('a file that others could replace is not restored while it is on its way', async () => {
  const refused = expect.stringMatching(
    /^a file descriptor was on its way .* of a file that others could replace \(".*data"\): /,
  );
  write('sk-queues.img', queuesImage([[1]]));
  expect(await whyInFlight(root)).toBeNull();
  write('sk-queues.img', queuesImage([[], [2]]));
  expect(await whyInFlight(root)).toEqual(refused);
  expect(await keepFromLinks(root, '6.1.0')).toEqual({ ok: false, message: refused });
  expect(await keepFromLinks(root, '4.18.0')).toEqual({ ok: false, message: refused });
});

test.runIf(isRoot)('a deleted one is, where links can be kept from being followed', async () => {
  write('sk-queues.img', queuesImage([[3]]));
  write('remap-fpath.img', remapsImage([[3, 1]]));
  expect(await keepFromLinks(root, '6.1.0')).toMatchObject({ ok: true, folders: [home] });
  expect(await keepFromLinks(root, '4.18.0')).toMatchObject({ ok: false });
  // It has another name, by which it is opened.
  write('remap-fpath.img', remapsImage([[3, 0]]));
  expect(await keepFromLinks(root, '6.1.0')).toMatchObject({ ok: false });
});
