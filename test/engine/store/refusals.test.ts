import { randomUUID } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Found } from '../../../daemon/engine/ports.ts';
import { createStore } from '../../../daemon/engine/store/store.ts';
import { CLUSTER, order, put, refusal, type Scene, scene } from './support.ts';

const root = process.geteuid?.() === 0;
if (!root && process.env['CI']) throw new Error('CI runs this as root');
if (!root) console.warn("LEFT OUT: folders of other users' in the store; only root can make them");

type Spoil = (it: Scene, found: Found) => void;
const manifestOf = ({ dir }: Found) => join(dir, 'manifest.json');
const rewrite = (found: Found, change: (data: Record<string, unknown>) => void) => {
  const data = JSON.parse(readFileSync(manifestOf(found), 'utf8'));
  change(data);
  writeFileSync(manifestOf(found), JSON.stringify(data));
};

const SPOILED: readonly (readonly [string, Spoil, RegExp])[] = [
  [
    'damaged: cut short',
    (_, f) => writeFileSync(manifestOf(f), '{"version":1,'),
    /manifest\.json is damaged/,
  ],
  ['damaged: empty', (_, f) => writeFileSync(manifestOf(f), ''), /is damaged/],
  ['damaged: a list', (_, f) => writeFileSync(manifestOf(f), '[]'), /is damaged/],
  ['damaged: null', (_, f) => writeFileSync(manifestOf(f), 'null'), /is damaged/],
  [
    'damaged: a field of another kind',
    (_, f) => rewrite(f, (d) => Object.assign(d, { uid: '0' })),
    /is damaged: uid/,
  ],
  [
    'damaged: a name of an image that leads out of it',
    (_, f) =>
      rewrite(f, (d) =>
        Object.assign(d, { images: [{ name: '../../../etc/passwd', bytes: 1, storedBytes: 1 }] }),
      ),
    /is damaged: images\.0\.name/,
  ],
  [
    'damaged: a relative path',
    (_, f) => rewrite(f, (d) => Object.assign(d, { output: ['out'] })),
    /is damaged: output/,
  ],
  ['without a manifest', (_, f) => rmSync(manifestOf(f)), /is damaged: it has no manifest\.json/],
  [
    'newer',
    (_, f) => rewrite(f, (d) => Object.assign(d, { version: 2, uid: 'whatever' })),
    /is of version 2, and this engine knows version 1 only/,
  ],
  [
    "another cluster's",
    (_, f) => rewrite(f, (d) => Object.assign(d, { clusterId: randomUUID() })),
    /is of cluster .*refused/,
  ],
  ["another job's", (_, f) => rewrite(f, (d) => Object.assign(d, { jobId: 8 })), /of job 8: refused/],
  ['under another id', (_, f) => rewrite(f, (d) => Object.assign(d, { actionId: randomUUID() })), /refused/],
  [
    'with a manifest that is a link',
    (it, f) => {
      renameSync(manifestOf(f), join(it.dir, 'm'));
      symlinkSync(join(it.dir, 'm'), manifestOf(f));
    },
    /is a symbolic link: refused/,
  ],
  [
    'with a manifest that has another name',
    (it, f) => linkSync(manifestOf(f), join(it.dir, 'm')),
    /hard link/,
  ],
  ['with a manifest that others write', (_, f) => chmodSync(manifestOf(f), 0o666), /writable by others/],
  [
    'with a folder for a manifest',
    (_, f) => {
      rmSync(manifestOf(f));
      mkdirSync(manifestOf(f));
    },
    /not a regular file/,
  ],
  ['open to others', (_, f) => chmodSync(f.dir, 0o755), /can be entered by others \(mode 755\)/],
  [
    'behind a link',
    (it, f) => {
      renameSync(f.dir, join(it.dir, 'moved'));
      symlinkSync(join(it.dir, 'moved'), f.dir);
    },
    /is not a folder but a symbolic link: refused/,
  ],
];

const FOREIGN: readonly (readonly [string, Spoil, RegExp])[] = [
  ["a user's folder", (_, f) => chownSync(f.dir, 1500, 1500), /belongs to uid 1500, not to 0: refused/],
  ["a user's manifest", (_, f) => chownSync(manifestOf(f), 1500, 1500), /manifest\.json belongs to uid 1500/],
  ["nobody's folder", (_, f) => chownSync(f.dir, 65_534, 65_534), /needs no_root_squash/],
];

describe('a checkpoint that is', () => {
  test.each(SPOILED)('%s is refused with its message, and the job keeps its others', (_, spoil, message) =>
    refused(spoil, message),
  );
  test.skipIf(!root).each(FOREIGN)('%s is refused with its message', (_, spoil, message) =>
    refused(spoil, message),
  );

  async function refused(spoil: Spoil, message: RegExp): Promise<void> {
    using it = scene();
    const good = await put(it.store, 7, { takenAt: 10 });
    const bad = await put(it.store, 7, { takenAt: 20 });
    spoil(it, bad);
    expect(await refusal(it.store.find(bad.manifest.actionId))).toMatch(message);
    expect(await refusal(it.other('n2').find(bad.manifest.actionId, 7))).toMatch(message);
    expect(await it.store.ofJob(7)).toEqual([good]);
    const said = it.log.lines.filter(({ level }) => level === 'error');
    expect(said).toHaveLength(1);
    expect(said[0]?.message).toMatch(/^job 7: a checkpoint cannot be used: /);
    expect(said[0]?.fields).toEqual({ job_id: 7, action_id: bad.manifest.actionId });
    // Once, and not at every look.
    await it.store.ofJob(7);
    expect(it.log.lines.filter(({ level }) => level === 'error')).toHaveLength(1);
    // The list goes on, and says it.
    const listed = await it.store.list();
    expect(listed).toHaveLength(2);
    await it.store.removeJob(7, 'test').catch(() => undefined);
  }
});

describe('the folders above', () => {
  test.each<[string, (it: Scene) => void, RegExp]>([
    ['a store that is a link', (it) => swap(it.dir), /is not a folder but a symbolic link/],
    ['a store that others write', (it) => chmodSync(it.dir, 0o777), /is writable by others/],
    ['a folder above that others write', (it) => chmodSync(dirname(it.dir), 0o777), /is not safe: others/],
    ['a cluster that is a link', (it) => swap(it.cluster), /symbolic link: refused/],
    ['a cluster that others enter', (it) => chmodSync(it.cluster, 0o750), /mode 750/],
    ['a job that is a link', (it) => swap(join(it.cluster, '7')), /symbolic link: refused/],
    ['a job that others enter', (it) => chmodSync(join(it.cluster, '7'), 0o701), /mode 701/],
  ])('%s: nothing is read or written through it', async (_, spoil, message) => {
    using it = scene();
    const found = await put(it.store, 7);
    await it.store.writeOrder(order(7, found.manifest.actionId));
    spoil(it);
    for (const look of [
      () => it.store.find(found.manifest.actionId, 7),
      () => it.store.ofJob(7),
      () => it.store.readOrder(7),
      () => it.store.begin(7, randomUUID()),
      () => it.store.writeOrder(order(7, randomUUID())),
      () => it.store.removeOrder(7),
      () => it.store.deprecate(found.manifest.actionId, 'why'),
      () => it.store.removeJob(7, 'why'),
    ])
      expect(await refusal(look())).toMatch(message);
  });

  test('a store that is not there is not made: it could be a mount that is missing', async () => {
    using it = scene();
    rmSync(it.dir, { recursive: true });
    expect(await refusal(it.store.begin(7, randomUUID()))).toMatch(/is not there: mount it, or make it/);
    expect(await refusal(it.store.ofJob(7))).toMatch(/is not there/);
  });

  test.skipIf(!root)("a user's folder above, and a user's job folder", async () => {
    using it = scene();
    await put(it.store, 7);
    chownSync(join(it.cluster, '7'), 1500, 1500);
    expect(await refusal(it.store.ofJob(7))).toMatch(/belongs to uid 1500/);
    chownSync(dirname(it.dir), 1500, 1500);
    expect(await refusal(it.store.ofJob(7))).toMatch(/is not safe/);
  });
});

describe('an order that is', () => {
  test.each([
    ['damaged', '{', /is damaged/],
    ['newer', JSON.stringify({ ...order(7, CLUSTER), version: 2 }), /of version 2/],
    ["another job's", JSON.stringify(order(8, CLUSTER)), /is for job 8/],
    ["another cluster's", JSON.stringify(order(7, CLUSTER, { clusterId: randomUUID() })), /refused/],
  ])('%s is refused, and keeps what is there from being taken away', async (_, text, message) => {
    using it = scene({ keep: 1 });
    await put(it.store, 7, { takenAt: 10 });
    writeFileSync(join(it.cluster, '7/order.json'), text, { mode: 0o600 });
    expect(await refusal(it.store.readOrder(7))).toMatch(message);
    await put(it.store, 7, { takenAt: 20 });
    expect(await it.store.ofJob(7)).toHaveLength(2);
  });
});

test('another cluster on the same file system is not seen', async () => {
  using it = scene();
  const { manifest } = await put(it.store, 7);
  const clusterId = randomUUID();
  const stranger = createStore({ dir: it.dir, clusterId, keep: 3, node: 'n1', log: it.log });
  expect(await stranger.find(manifest.actionId)).toBeNull();
  await put(it.store, 8);
  expect(await stranger.list()).toEqual([]);
});

/** What was there, behind a link. */
function swap(path: string): void {
  renameSync(path, `${path}-moved`);
  symlinkSync(`${path}-moved`, path);
}
