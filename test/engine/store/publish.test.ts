import { randomUUID } from 'node:crypto';
import {
  existsSync,
  fstatSync,
  linkSync,
  mkdirSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { CLUSTER, manifest, order, put, refusal, scene, writeImage } from './support.ts';

const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);

test('a checkpoint is nowhere until it is published, and then whole, for root alone', async () => {
  using it = scene();
  const id = randomUUID();
  const pending = await it.store.begin(7, id);
  writeImage(pending.dir);
  expect(await it.store.find(id)).toBeNull();
  expect(await it.store.ofJob(7)).toEqual([]);
  const found = await pending.publish(manifest(7, id));
  expect(found).toEqual({ manifest: manifest(7, id), dir: join(it.cluster, '7', id), deprecated: null });
  // By another engine, with and without the job's id.
  const other = it.other('n2');
  expect(await other.find(id)).toEqual(found);
  expect(await other.find(id, 7)).toEqual(found);
  expect(await other.find(id, 8)).toBeNull();
  expect(readdirSync(found.dir).sort()).toEqual(['images', 'manifest.json']);
  expect([it.cluster, join(it.cluster, '7'), found.dir, join(found.dir, 'images')].map(mode)).toEqual(
    Array(4).fill('700'),
  );
  expect(mode(join(found.dir, 'manifest.json'))).toBe('600');
  expect(mode(join(found.dir, 'images/core-1.img'))).toBe('600');
});

/** The inodes that are made durable from now on, each as `look` saw the world right before. */
async function syncs<T>(look: () => T): Promise<Map<number, { size: number; seen: T }>> {
  const handle = await open('/', 'r');
  const methods: FileHandle = Object.getPrototypeOf(handle);
  await handle.close();
  const all = new Map<number, { size: number; seen: T }>();
  const sync = methods.sync;
  const spy = vi.spyOn(methods, 'sync').mockImplementation(async function (this: FileHandle) {
    const { ino, size } = fstatSync(this.fd);
    const seen = look();
    await sync.call(this);
    all.set(ino, { size, seen });
  });
  onTestFinished(() => spy.mockRestore());
  return all;
}

test('everything of it is on disk before it appears, and then its name', async () => {
  using it = scene();
  const id = randomUUID();
  const target = join(it.cluster, '7', id);
  const pending = await it.store.begin(7, id);
  const dumped = ['images', 'images/core-1.img', 'images/extra', 'record.zst'];
  writeImage(pending.dir);
  for (const name of dumped.slice(2)) writeFileSync(join(pending.dir, name), name);
  const synced = await syncs(() => ({
    appeared: existsSync(target),
    writer: existsSync(join(pending.dir, '.writer')),
    names: existsSync(pending.dir) ? readdirSync(pending.dir) : [],
  }));
  await pending.publish(manifest(7, id));
  // With the name of who writes it, by which others leave it alone for as long as the disk takes.
  for (const name of ['', ...dumped, 'manifest.json']) {
    const there = statSync(join(target, name));
    const { size, seen } = synced.get(there.ino)!;
    expect(seen).toMatchObject({ appeared: false, writer: true });
    expect(seen.names).toContain('manifest.json');
    if (there.isFile()) expect(size).toBe(there.size);
  }
  expect(synced.get(statSync(join(it.cluster, '7')).ino)!.seen.appeared).toBe(true);
});

test('what is discarded leaves nothing, and cannot be published any more', async () => {
  using it = scene();
  const id = randomUUID();
  const pending = await it.store.begin(7, id);
  writeImage(pending.dir);
  await pending.discard();
  await pending.discard();
  expect(readdirSync(join(it.cluster, '7'))).toEqual([]);
  expect(await refusal(pending.publish(manifest(7, id)))).toMatch(/not being written any more/);
});

describe('is not published, and leaves nothing:', () => {
  const id = randomUUID();
  test.each([
    ['a manifest of another job', {}, manifest(8, id), /has jobId 8, not 7/],
    ['of another id', {}, manifest(7, randomUUID()), /has actionId/],
    ['of another cluster', {}, manifest(7, id, { clusterId: randomUUID() }), /has clusterId/],
    ['one that is none', {}, { ...manifest(7, id), node: 5 as unknown as string }, /no manifest: node/],
    [
      'an image that is not as long as it says',
      { text: 'imag' },
      manifest(7, id),
      /has 4 bytes, and the manifest says 5/,
    ],
    ['an image that is missing', { image: false }, manifest(7, id), /core-1\.img is missing/],
    [
      'a zstd image without its suffix',
      {},
      manifest(7, id, { compress: 'zstd' }),
      /core-1\.img\.zst is missing/,
    ],
    ['a link', { link: 'symbolic' }, manifest(7, id), /not a plain file/],
    ['a hard link', { link: 'hard' }, manifest(7, id), /not a plain file/],
    [
      'an archive that is missing',
      {},
      manifest(7, id, { archive: { name: 'local.tar', bytes: 3 } }),
      /local\.tar is missing/,
    ],
  ])('%s', async (_, how: { text?: string; image?: boolean; link?: string }, given, message) => {
    using it = scene();
    const pending = await it.store.begin(7, id);
    if (how.image !== false) writeImage(pending.dir, how.text);
    writeFileSync(join(it.dir, 'outside'), 'x');
    if (how.link === 'symbolic') symlinkSync('/etc/passwd', join(pending.dir, 'images/extra'));
    if (how.link === 'hard') linkSync(join(it.dir, 'outside'), join(pending.dir, 'images/extra'));
    expect(await refusal(pending.publish(given))).toMatch(message);
    expect(readdirSync(join(it.cluster, '7'))).toEqual([]);
  });
});

test('two engines under one id: the second is refused, and the first stays as it is', async () => {
  using it = scene();
  const id = randomUUID();
  const first = await it.store.begin(7, id);
  // Not even the folder is shared.
  expect(await refusal(it.other('n2').begin(7, id))).toMatch(/cannot begin .*\.new-/);
  expect(existsSync(first.dir)).toBe(true);
  writeImage(first.dir);
  const found = await first.publish(manifest(7, id));

  const second = await it.other('n2').begin(7, id);
  writeImage(second.dir);
  expect(await refusal(second.publish(manifest(7, id, { node: 'n2' })))).toMatch(/published already/);
  expect(await it.store.find(id)).toEqual(found);
  expect(readdirSync(join(it.cluster, '7'))).toEqual([id]);
});

test('an empty folder in its place is not replaced either', async () => {
  using it = scene();
  const id = randomUUID();
  const pending = await it.store.begin(7, id);
  writeImage(pending.dir);
  mkdirSync(join(it.cluster, '7', id), { mode: 0o700 });
  expect(await refusal(pending.publish(manifest(7, id)))).toMatch(/published already/);
});

describe('keep', () => {
  test('the newest that may be restored from stay, and what an order names', async () => {
    using it = scene({ keep: 2 });
    const ids: string[] = [];
    const take = async (takenAt: number) => {
      const { manifest: taken } = await put(it.store, 7, { takenAt });
      ids.push(taken.actionId);
    };
    for (const takenAt of [10, 20]) await take(takenAt);
    await it.store.writeOrder(order(7, ids[0]!));
    for (const takenAt of [30, 40]) await take(takenAt);
    const left = await it.store.ofJob(7);
    expect(left.map((found) => found.manifest.takenAt)).toEqual([40, 30, 10]);
    expect(await it.store.find(ids[1]!)).toBeNull();
    await it.store.removeOrder(7);
    await take(50);
    expect((await it.store.ofJob(7)).map((found) => found.manifest.takenAt)).toEqual([50, 40]);
    await expect.poll(() => readdirSync(join(it.cluster, '.nodes/n1/.trash'))).toEqual([]);
  });

  test('one that is deprecated does not count, and goes with the next', async () => {
    using it = scene({ keep: 2 });
    const first = await put(it.store, 7, { takenAt: 10 });
    const second = await put(it.store, 7, { takenAt: 20 });
    await it.store.deprecate(second.manifest.actionId, 'it does not fit');
    await it.store.deprecate(second.manifest.actionId, 'a second reason');
    expect(await it.store.find(second.manifest.actionId)).toMatchObject({ deprecated: 'it does not fit' });
    await put(it.store, 7, { takenAt: 30 });
    expect((await it.store.ofJob(7)).map((found) => found.manifest.takenAt)).toEqual([30, 10]);
    expect(existsSync(first.dir)).toBe(true);
  });

  test('what cannot be read is not taken away for it', async () => {
    using it = scene({ keep: 1 });
    const damaged = await put(it.store, 7, { takenAt: 10 });
    writeFileSync(join(damaged.dir, 'manifest.json'), '{"version":2}');
    await put(it.store, 7, { takenAt: 20 });
    await put(it.store, 7, { takenAt: 30 });
    expect(existsSync(damaged.dir)).toBe(true);
    expect((await it.store.ofJob(7)).map((found) => found.manifest.takenAt)).toEqual([30]);
  });
});

test('orders are written, read, replaced and removed', async () => {
  using it = scene();
  const id = randomUUID();
  expect(await it.store.readOrder(7)).toBeNull();
  await it.store.writeOrder(order(7, id));
  await it.store.writeOrder(order(7, id, { restarts: 2 }));
  expect(await it.other('n2').readOrder(7)).toEqual(order(7, id, { restarts: 2 }));
  await it.store.removeOrder(7);
  await it.store.removeOrder(7);
  expect(await it.store.readOrder(7)).toBeNull();
  expect(readdirSync(join(it.cluster, '7'))).toEqual([]);
  expect(await refusal(it.store.writeOrder(order(7, id, { clusterId: randomUUID() })))).toMatch(/cluster/);
});

test('a job goes as a whole, with what is being written; others stay', async () => {
  using it = scene();
  await put(it.store, 7);
  await it.store.writeOrder(order(7, randomUUID()));
  const pending = await it.store.begin(7, randomUUID());
  const other = await put(it.store, 8);
  await it.store.removeJob(7, 'it ended (COMPLETED)');
  await it.store.removeJob(7, 'again');
  expect(await it.store.ofJob(7)).toEqual([]);
  expect(existsSync(join(it.cluster, '7'))).toBe(false);
  expect(await it.store.find(other.manifest.actionId)).toEqual(other);
  writeFileSync(join(it.dir, 'x'), '');
  expect(await refusal(pending.publish(manifest(7, randomUUID())))).toBeTruthy();
  await pending.discard();
  expect(it.log.lines.map(({ message }) => message)).toContain(
    'job 7: its checkpoints are removed: it ended (COMPLETED)',
  );
});

test('what is no id is no path', async () => {
  using it = scene();
  for (const id of ['../../etc', '', '.', `${CLUSTER}/..`, CLUSTER.toUpperCase()])
    expect(await refusal(it.store.find(id))).toMatch(/no action id/);
  for (const jobId of [0, -1, 1.5, Number.NaN, 2 ** 32])
    expect(await refusal(it.store.begin(jobId, randomUUID()))).toMatch(/no job id/);
});
