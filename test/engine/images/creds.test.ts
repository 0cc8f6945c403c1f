import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Rights, whyMoreRights } from '../../../daemon/engine/images/creds.ts';
import { type Creds, coreImage } from './made-images.ts';

let images: string;
beforeEach(async () => {
  images = await mkdtemp(join(tmpdir(), 'creds-'));
});
afterEach(() => rm(images, { recursive: true }));

const RIGHTS: Rights = {
  uid: 2000,
  gids: new Set([2000, 27, 4_000_000_000]),
  inheritable: 0x1_0000_0001n,
  permitted: 0n,
  noNewPrivs: false,
};
const four = (id: number) => Array(4).fill(id) as number[];
const OWN: Creds = { uids: four(2000), gids: four(2000), groups: [2000, 4_000_000_000] };

async function why(creds: Partial<Creds>, rights: Partial<Rights> = {}): Promise<string | null> {
  await writeFile(join(images, 'core-70.img'), coreImage(OWN));
  await writeFile(join(images, 'core-71.img'), coreImage({ ...OWN, ...creds }));
  return whyMoreRights(images, { ...RIGHTS, ...rights });
}

test('threads with no more than their owner’s rights', async () => {
  expect(await why({})).toBe(null);
  // newgrp(1), and a set of groups made smaller.
  expect(await why({ gids: [27, 27, 27, 27], groups: [] })).toBe(null);
  expect(await why({ inheritable: [1, 1], permitted: [0, 0], effective: [0, 0], ambient: [0, 0] })).toBe(
    null,
  );
  expect(await why({ permitted: [0, 4], effective: [0, 4] }, { permitted: 0x4_0000_0000n })).toBe(null);
  expect(await why({ noNewPrivs: true }, { noNewPrivs: true })).toMatch(/core-70.*a way to new privileges/);
});

test.each<[string, Partial<Creds>]>([
  ['the uid 0', { uids: [0, 2000, 2000, 2000] }],
  ['the euid 0', { uids: [2000, 0, 2000, 2000] }],
  ['the suid 0', { uids: [2000, 2000, 0, 2000] }],
  ['the fsuid 0', { uids: [2000, 2000, 2000, 0] }],
  ['the gid 0', { gids: [0, 2000, 2000, 2000] }],
  ['the egid 42', { gids: [2000, 42, 2000, 2000] }],
  ['the sgid 0', { gids: [2000, 2000, 0, 2000] }],
  ['the fsgid 0', { gids: [2000, 2000, 2000, 0] }],
  ['the group 0', { groups: [2000, 0] }],
  ['permitted capabilities', { permitted: [1, 0] }],
  ['effective capabilities', { effective: [0, 1] }],
  ['ambient capabilities', { ambient: [0x80000000, 0] }],
  ['inheritable capabilities', { inheritable: [2, 0] }],
  ['secure bits', { securebits: 4 }],
])('%s of a thread would be given to it by a restore: refused', async (what, creds) => {
  expect(await why(creds)).toBe(`a thread of the job (core-71.img) has ${what}, which is not its owner's`);
});

test('images that say nothing of it are refused', async () => {
  expect(await whyMoreRights(images, RIGHTS)).toBe('CRIU left no image of a process');
  const whole = coreImage(OWN);
  for (const [image, said] of [
    [Buffer.from('core'), 'its image core-1.img is none of CRIU'],
    [whole.subarray(0, 8), 'its image core-1.img is empty'],
    [whole.subarray(0, -1), 'its image core-1.img is cut'],
    [coreImage({ ...OWN, uids: [] }), "the uid that is none, which is not its owner's"],
    // One without field 5.
    [Buffer.concat([whole.subarray(0, 8), Buffer.from([2, 0, 0, 0, 8, 1])]), 'has no credentials'],
  ] as const) {
    await writeFile(join(images, 'core-1.img'), image);
    expect(await whyMoreRights(images, RIGHTS)).toContain(said);
  }
});
