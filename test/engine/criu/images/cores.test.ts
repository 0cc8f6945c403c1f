import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Cores, readCores } from '../../../../daemon/engine/criu/images/cores.ts';
import { int64Of, readFields } from '../../../../daemon/engine/criu/images/protobuf.ts';
import { type Creds, coreImage, ordinary } from './made-images.ts';

let images: string;
beforeEach(async () => {
  images = await mkdtemp(join(tmpdir(), 'cores-'));
});
afterEach(() => rm(images, { recursive: true }));

const OWN = ordinary(2000, 2000, [27, 4_000_000_000]);

/** A job of two processes, of which the second one is as `creds` say. */
async function coresOf(creds: Partial<Creds>, first: Partial<Creds> = {}): Promise<Cores | string> {
  await writeFile(join(images, 'core-70.img'), coreImage({ ...OWN, ...first }));
  await writeFile(join(images, 'core-71.img'), coreImage({ ...OWN, ...creds }));
  return readCores(images);
}

test('who the processes of a job are is said once for all of them', async () => {
  expect(await coresOf({})).toEqual({
    credentials: {
      uid: 2000,
      gid: 2000,
      groups: [27, 4_000_000_000],
      inheritable: 0n,
      boundingSet: (1n << 41n) - 1n,
      noNewPrivs: false,
    },
    limits: new Map(),
    endWithParent: new Set(),
  });
});

test('of what may differ, each counts that has more: inheritable ones, and a way to new privileges', async () => {
  expect(await coresOf({ inheritable: [1, 1], noNewPrivs: true }, { inheritable: [2] })).toMatchObject({
    credentials: { inheritable: 0x1_0000_0003n, noNewPrivs: false },
  });
  expect(await coresOf({ noNewPrivs: true }, { noNewPrivs: true })).toMatchObject({
    credentials: { noNewPrivs: true },
  });
});

test('a bounding set is what none of them has given up', async () => {
  const some = await coresOf({ bounding: [0xffff_fffe, 0x1ff] }, { bounding: [0xffff_ffff, 0xff] });
  expect(some).toMatchObject({ credentials: { boundingSet: (1n << 40n) - 2n } });
});

test('root’s own job has its capabilities', async () => {
  const root = { ...ordinary(0, 0), permitted: [0xffffffff, 0x1ff], effective: [0xffffffff, 0x1ff] };
  expect(await coresOf(root, root)).toMatchObject({ credentials: { uid: 0 } });
});

const capabilities = (kind: string) => `${kind} capabilities, which no program has that its owner just runs`;
test.each<[string, Partial<Creds>]>([
  ['another euid than its uid 2000', { uids: [2000, 0, 2000, 2000] }],
  ['another suid than its uid 2000', { uids: [2000, 2000, 0, 2000] }],
  ['another fsuid than its uid 2000', { uids: [2000, 2000, 2000, 0] }],
  ['another euid than its uid 0', { uids: [0, 2000, 2000, 2000] }],
  ['another egid than its gid 2000', { gids: [2000, 42, 2000, 2000] }],
  ['another sgid than its gid 2000', { gids: [2000, 2000, 0, 2000] }],
  ['another fsgid than its gid 2000', { gids: [2000, 2000, 2000, 0] }],
  ['another egid than its gid 0', { gids: [0, 2000, 2000, 2000] }],
  [capabilities('permitted'), { permitted: [1, 0] }],
  [capabilities('effective'), { effective: [0, 1] }],
  [capabilities('ambient'), { ambient: [0x80000000, 0] }],
  ['secure bits', { securebits: 4 }],
  ['no ids', { uids: [] }],
  ['no ids', { uids: Array(4).fill(0xffff_ffff) }],
  ['no ids', { gids: Array(4).fill(2 ** 60) }],
  ['groups that are none', { groups: [27, 2 ** 32] }],
])('%s of a thread could not be given back to it: refused', async (what, creds) => {
  expect(await coresOf(creds)).toBe(`a thread of the job (core-71.img) has ${what}`);
});

test.each<[string, Creds]>([
  ['the uid 0, and others have 2000', ordinary(0, 2000)],
  ['the gid 27, and others have 2000', ordinary(2000, 27, OWN.groups)],
  ['other groups than the rest of the job', { ...OWN, groups: [27] }],
  ['other groups than the rest of the job', { ...OWN, groups: [4_000_000_000, 27] }],
  ['other groups than the rest of the job', { ...OWN, groups: [] }],
])('%s, where CRIU could only be one of them: refused', async (what, creds) => {
  const said = await coresOf(creds);
  // The folder's order says which of them is the other one.
  expect(said).toMatch(/^a thread of the job \(core-7[01]\.img\) has /);
  const swapped = what.replace(/^(the \w+) (\d+), and others have (\d+)$/, '$1 $3, and others have $2');
  expect([what, swapped].some((each) => String(said).endsWith(` has ${each}`))).toBe(true);
});

test.each([2, 6])('a process that is dead (%d), and waited for by nobody yet, is nobody', async (state) => {
  await writeFile(join(images, 'core-70.img'), coreImage(OWN, { rlimits: [[1, 2]], oomScoreAdj: 0 }));
  await writeFile(join(images, 'core-71.img'), coreImage(null, { state }));
  const cores = await readCores(images);
  expect(cores).toMatchObject({ credentials: { uid: 2000 } });
  expect([...(cores as Cores).limits.keys()]).toEqual([70]);
});

test('a job of dead processes alone has no one to be', async () => {
  await writeFile(join(images, 'core-70.img'), coreImage(null, { state: 6 }));
  expect(await readCores(images)).toBe('CRIU left no image of a process');
});

test('limits are those of each process: unlimited ones, large ones and none', async () => {
  const rlimits = [
    [-1, -1],
    [1024, 4096],
    [0, 2 ** 60],
  ] as const;
  await writeFile(
    join(images, 'core-70.img'),
    coreImage(OWN, { rlimits, oomScoreAdj: -998, priority: { nice: -10, policy: 2 } }),
  );
  await writeFile(join(images, 'core-71.img'), coreImage(OWN, { state: 3, rlimits: [], oomScoreAdj: 500 }));
  // A thread of one of them has none of its own.
  await writeFile(join(images, 'core-72.img'), coreImage(OWN, null));
  await writeFile(join(images, 'core-73.img'), coreImage(OWN));
  expect(await readCores(images)).toMatchObject({
    limits: new Map([
      [
        70,
        {
          rlimits: [
            [-1n, -1n],
            [1024n, 4096n],
            [0n, 2n ** 60n],
          ],
          oomScoreAdj: -998,
          priority: { nice: -10, policy: 2 },
        },
      ],
      [71, { rlimits: [], oomScoreAdj: 500, priority: null }],
    ]),
  });
});

test('what else is in the folder is no process', async () => {
  for (const name of ['core-70.img.tmp', 'core-.img', 'core-12345678901.img', 'xcore-1.img'])
    await writeFile(join(images, name), 'none');
  expect(await coresOf({})).toMatchObject({ credentials: { uid: 2000 } });
});

test('images that say nothing of it are refused', async () => {
  expect(await readCores(images)).toBe('CRIU left no image of a process');
  const whole = coreImage(OWN);
  const header = whole.subarray(0, 8);
  for (const [image, said] of [
    [Buffer.from('core'), 'its image core-1.img is none of CRIU'],
    [header, 'its image core-1.img is empty'],
    [whole.subarray(0, -1), 'its image core-1.img is cut'],
    [coreImage({ ...OWN, uids: [] }), 'a thread of the job (core-1.img) has no ids'],
    // One that lives, without field 5.
    [Buffer.concat([header, Buffer.from([2, 0, 0, 0, 8, 1])]), 'its image core-1.img has no credentials'],
    [coreImage(null, { state: 1 }), 'its image core-1.img has no credentials'],
    // Its task is no message.
    [Buffer.concat([header, Buffer.from([3, 0, 0, 0, 0x1a, 1, 0xff])]), 'its image core-1.img is cut'],
  ] as const) {
    await writeFile(join(images, 'core-1.img'), image);
    expect(await readCores(images)).toBe(said);
  }
});

test('an image that is cut anywhere says so, and nothing of a process', async () => {
  const whole = coreImage(OWN, { rlimits: [[-1, -1]], oomScoreAdj: -1 });
  for (let length = 0; length < whole.length; length++) {
    await writeFile(join(images, 'core-1.img'), whole.subarray(0, length));
    expect(await readCores(images)).toMatch(/^its image core-1\.img is (none of CRIU|empty|cut)$/);
  }
});

test('an image with a spoilt byte says something, whatever it is', async () => {
  const whole = coreImage(OWN, { rlimits: [[-1, 5]], oomScoreAdj: -1 });
  for (let at = 8; at < whole.length; at++) {
    const spoilt = Buffer.from(whole);
    spoilt[at]! ^= 0xff;
    await writeFile(join(images, 'core-1.img'), spoilt);
    expect(await readCores(images)).toBeDefined();
  }
});

test.each([
  ['0', [8, 0], 0n],
  ['left out', [16, 1], 0n],
  ['nothing at all', [], 0n],
  ['a string', [10, 1, 65], 0n],
  ['the last of two', [8, 1, 8, 2], 2n],
  ['2^53 - 1', [8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f], 2n ** 53n - 1n],
  ['2^53', [8, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10], 2n ** 53n],
  ['2^63 - 1', [8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], 2n ** 63n - 1n],
  ['-1', [8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], -1n],
  ['-998', [8, 0x9a, 0xf8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], -998n],
])('a number that is %s is read in full', (_, bytes, number) => {
  expect(int64Of(Buffer.from(bytes), 1)).toBe(number);
});

test('a number that has no end is none, and cuts its message', () => {
  expect(readFields(Buffer.from([8, ...Array(10).fill(0xff)]))).toBeNull();
  expect(int64Of(Buffer.from([8, ...Array(10).fill(0xff)]), 1)).toBe(0n);
});
