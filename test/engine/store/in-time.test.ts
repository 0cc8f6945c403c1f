import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ANSWER_MS, inTime, PATIENCE_MS } from '../../../daemon/engine/store/in-time.ts';
import type { EngineStore } from '../../../daemon/engine/store/store.ts';
import { StoreError } from '../../../daemon/engine/store-error.ts';
import { ManualClock } from '../../support/clock.ts';
import { manifest, scene, writeImage } from './support.ts';

/** A real store, some methods of which hang until they are let go. */
function hanging(...methods: readonly (keyof EngineStore)[]) {
  const it = scene();
  const clock = new ManualClock();
  const gate = Promise.withResolvers<void>();
  const asked: string[] = [];
  const slow = methods.map((name) => {
    const method = it.store[name] as (...args: unknown[]) => Promise<unknown>;
    const held = (...args: unknown[]) => {
      asked.push(name);
      return gate.promise.then(() => method(...args));
    };
    return [name, held];
  });
  const store = inTime({ ...it.store, ...Object.fromEntries(slow) }, clock, it.dir);
  return { ...it, store, clock, asked, answer: () => gate.resolve(), [Symbol.dispose]: it[Symbol.dispose] };
}

test('a file system that hangs is an error in time, and nothing more is asked of it before it answers', async () => {
  using it = hanging('readOrder');
  const refused = expect(it.store.readOrder(7)).rejects.toThrow(/did not answer within 30 s/);
  await it.clock.whenSleeping();
  it.clock.advance(ANSWER_MS);
  await refused;

  await expect(it.store.ofJob(7)).rejects.toThrow(/hangs: nothing more is asked of it/);
  await expect(it.store.upkeep.has(7)).rejects.toThrow(StoreError);

  it.answer();
  await expect.poll(() => it.store.ofJob(7).catch(() => 'refused')).toEqual([]);
  expect(await it.store.readOrder(7)).toBeNull();
});

test('a checkpoint that is begun when nobody waits for it any more leaves nothing', async () => {
  using it = hanging('begin');
  const refused = expect(it.store.begin(7, randomUUID())).rejects.toThrow(StoreError);
  await it.clock.whenSleeping();
  it.clock.advance(ANSWER_MS);
  await refused;
  it.answer();
  await expect.poll(() => existsSync(join(it.cluster, '7'))).toBe(true);
  await expect.poll(() => readdirSync(join(it.cluster, '7'))).toEqual([]);
});

test('that it hangs may pass: nobody takes a checkpoint for damaged', async () => {
  using it = hanging('find');
  const error = it.store.find(randomUUID()).catch((reason: unknown) => reason);
  await it.clock.whenSleeping();
  it.clock.advance(PATIENCE_MS);
  expect(await error).toBeInstanceOf(StoreError);
  expect(((await error) as StoreError).mayPass).toBe(true);
  expect(((await error) as StoreError).isLate).toBe(true);
});

test('a checkpoint is published as well as without a limit, and given time by its size', async () => {
  using it = scene();
  const actionId = randomUUID();
  const gate = Promise.withResolvers<never>();
  const clock = new ManualClock();
  const begin: EngineStore['begin'] = async (...ids) => ({
    ...(await it.store.begin(...ids)),
    publish: () => gate.promise,
  });
  const good = await inTime(it.store, clock, it.dir).begin(7, actionId);
  writeImage(good.dir);
  const found = await good.publish(manifest(7, actionId));
  expect(await it.store.ofJob(7)).toEqual([found]);

  const slow = await inTime({ ...it.store, begin }, clock, it.dir).begin(7, randomUUID());
  const tebibyte = { name: 'pages-1.img', bytes: 2 ** 40, storedBytes: 2 ** 40 };
  const outcome = slow.publish(manifest(7, actionId, { images: [tebibyte] })).catch(String);
  await clock.whenSleeping();
  clock.advance(14 * 3_600_000);
  expect(await Promise.race([outcome, 'goes on'])).toBe('goes on');
  clock.advance(3_600_000);
  expect(await outcome).toMatch(/did not answer within/);
});

test('of what may take long, so little is asked for at once that the rest has its turn', async () => {
  using it = hanging('find');
  const looks = Array.from({ length: 20 }, () => it.store.find(randomUUID()).catch(() => null));
  await it.clock.whenSleeping(4);
  expect(it.asked).toHaveLength(4);
  expect(await it.store.readOrder(7)).toBeNull();
  it.answer();
  await Promise.all(looks);
  expect(it.asked).toHaveLength(20);
});

test('once it hangs, nobody waits in line for it, nor gets in', async () => {
  using it = hanging('find', 'readOrder');
  const looks = Array.from({ length: 4 }, () => it.store.find(randomUUID()));
  const waiting = expect(it.store.find(randomUUID())).rejects.toThrow(/hangs: nothing more is asked of it/);
  const refused = expect(it.store.readOrder(7)).rejects.toThrow(/did not answer within 30 s/);
  await it.clock.whenSleeping(5);
  it.clock.advance(ANSWER_MS);
  await refused;

  await waiting;
  await expect(it.store.find(randomUUID())).rejects.toThrow(/hangs: nothing more is asked of it/);
  expect(it.asked.filter((name) => name === 'find')).toHaveLength(4);

  it.answer();
  expect(await Promise.all(looks)).toEqual([null, null, null, null]);
  await expect.poll(() => it.store.find(randomUUID()).catch(() => 'refused')).toBeNull();
});
