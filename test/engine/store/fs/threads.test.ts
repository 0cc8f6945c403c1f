import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { makeStaging } from '../../../../daemon/engine/checkpoint/dump/staging.ts';
import { storeAll } from '../../../../daemon/engine/checkpoint/dump/store-all.ts';
import { atStore, atStoreForLong } from '../../../../daemon/engine/store/fs/threads.ts';
import { manifest, put, scene } from '../support.ts';

const MOST_CALLS = 12;

/** Calls that name what is in `dir`: those that `hang` are answered once `answer` resolves. */
const hung = vi.hoisted(() => ({ dir: '', hang: /./, answer: Promise.resolve(), underWay: 0, most: 0 }));
vi.mock('node:fs/promises', async (original) => {
  type Call = (...args: unknown[]) => Promise<unknown>;
  const real = await original<Record<string, Call>>();
  const held = (name: string, call: Call) => {
    return async (...args: unknown[]) => {
      const isThere = args.some((arg) => hung.dir !== '' && String(arg).startsWith(hung.dir));
      if (!isThere) return call(...args);
      hung.most = Math.max(hung.most, ++hung.underWay);
      if (hung.hang.test(name)) await hung.answer;
      return call(...args).finally(() => hung.underWay--);
    };
  };
  const calls = Object.entries(real).map(([name, call]) => [
    name,
    typeof call === 'function' ? held(name, call) : call,
  ]);
  return Object.fromEntries(calls);
});

/** What of the calls in `dir` is under way at most: while all hang, and afterwards. */
async function mostOf(dir: string, hang: RegExp, work: () => readonly Promise<unknown>[]): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<void>();
  Object.assign(hung, { dir, hang, answer: promise, underWay: 0, most: 0 });
  try {
    const all = work();
    await expect.poll(() => hung.underWay).toBeGreaterThanOrEqual(MOST_CALLS);
    resolve();
    await Promise.all(all);
    return hung.most;
  } finally {
    resolve();
    hung.dir = '';
  }
}

test('a store that hangs while many jobs are brought there keeps less than half of the threads', async () => {
  using it = scene();
  const apart = mkdtempSync('/dev/shm/threads-');
  try {
    const jobs = await Promise.all(
      [1, 2, 3, 4, 5, 6].map(async (jobId) => {
        const actionId = randomUUID();
        const staging = await makeStaging(apart, actionId);
        writeFileSync(staging.record, 'end 0\n');
        for (let at = 0; at < 20; at++) writeFileSync(join(staging.images, `core-${at}.img`), 'core');
        for (const at of [1, 2]) writeFileSync(join(staging.images, `pages-${at}.img`), randomBytes(2 << 20));
        return { jobId, actionId, staging, pending: await it.store.begin(jobId, actionId) };
      }),
    );
    const most = await mostOf(it.dir, /^(open|writeFile)$/, () =>
      jobs.map(async ({ jobId, actionId, staging, pending }) => {
        const taken = { staging, criuVersion: '4.2.1', carried: null };
        const stored = await storeAll(pending.dir, taken, 'zstd', new AbortController().signal);
        await pending.publish(manifest(jobId, actionId, stored));
      }),
    );
    expect(most).toBe(MOST_CALLS);
    expect((await it.store.ofJob(6)).map(({ manifest: { images } }) => images.length)).toEqual([22]);
  } finally {
    rmSync(apart, { recursive: true });
  }
});

test('and so does one that hangs while jobs are looked for, read and removed', async () => {
  using it = scene();
  const file = { path: '/home/alice/all.log', ino: '7', dev: '1', size: 1, append: true };
  const found = await Promise.all([1, 2, 3, 4].map((jobId) => put(it.store, jobId, { files: [file] })));
  const most = await mostOf(it.dir, /./, () => [
    ...found.map(() => it.other('n2').find(randomUUID())),
    ...found.map(({ manifest: { actionId } }) => it.other('n2').find(actionId)),
    ...found.map(({ manifest: { jobId } }) => it.other('n2').namedByOthers(jobId, [file])),
    ...found.map(({ manifest: { jobId } }) => it.store.readOrder(jobId)),
    it.store.list(),
    it.store.upkeep.freshen(0),
  ]);
  expect(most).toBe(MOST_CALLS);
  await Promise.all([1, 2, 3, 4].map((jobId) => it.store.removeJob(jobId, 'test')));
  expect(await it.store.list()).toEqual([]);
});

test('what is written for long leaves turns to others, and has its own in the order of coming', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const begun: number[] = [];
  const all = Array.from({ length: 20 }, (_, at) =>
    atStoreForLong(() => {
      begun.push(at);
      return promise;
    }),
  );
  expect(await atStore(async () => 'answered')).toBe('answered');
  expect(begun).toEqual([0, 1, 2, 3]);
  resolve();
  await Promise.all(all);
  expect(begun).toEqual(Array.from({ length: 20 }, (_, at) => at));
});
