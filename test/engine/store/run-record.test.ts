import { randomUUID } from 'node:crypto';
import {
  chownSync,
  existsSync,
  readdirSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { RunRecord } from '../../../daemon/engine/manifest.ts';
import { CLUSTER, manifest, put, refusal, type Scene, scene, writeImage } from './support.ts';

const root = process.geteuid?.() === 0;
if (!root && process.env['CI']) throw new Error('CI runs this as root');

/** The submit time of `manifest()` is before that. */
const STARTED = 1_800_000_500_000;
const record = (over: Partial<RunRecord> = {}): RunRecord => ({
  version: 1,
  jobId: 7,
  clusterId: CLUSTER,
  restarts: 1,
  node: 'n2',
  startedAt: STARTED,
  ...over,
});
const fileOf = (it: Scene) => join(it.cluster, '7/run.json');

test('every engine sees the newest run, whether or not the job has a checkpoint', async () => {
  using it = scene();
  expect(await it.store.readRun(7)).toBeNull();
  await it.store.writeRun(record({ node: 'n1', restarts: 0 }));
  await it.other('n2').writeRun(record());
  expect(await it.store.readRun(7)).toEqual(record());
  expect(statSync(fileOf(it)).mode & 0o777).toBe(0o600);
  expect(readdirSync(join(it.cluster, '7'))).toEqual(['run.json']);
});

test('a claim is recorded where nothing is, and hides no newer run', async () => {
  using it = scene();
  await it.store.claimRun(record({ node: 'n1', restarts: 0 }));
  expect(await it.store.readRun(7)).toMatchObject({ node: 'n1' });
  await it.other('n2').writeRun(record());
  await it.store.claimRun(record({ node: 'n1', restarts: 0 }));
  expect(await it.store.readRun(7)).toEqual(record());
});

test.each<[string, Partial<RunRecord>]>([
  ['of another cluster', { clusterId: randomUUID() }],
  ['without a node', { node: '' }],
  ['with a job id that is none', { jobId: 0 }],
  ['with no whole number of restarts', { restarts: 0.5 }],
])('a record %s is not written', async (_, over) => {
  using it = scene();
  expect(await refusal(it.store.writeRun(record(over)))).toMatch(/is not recorded/);
  expect(existsSync(it.cluster)).toBe(false);
});

const SPOILED: (readonly [string, (it: Scene) => void, RegExp])[] = [
  ['damaged', (it) => writeFileSync(fileOf(it), '{"version":1'), /is damaged/],
  ['null', (it) => writeFileSync(fileOf(it), 'null'), /is damaged/],
  [
    'newer',
    (it) => writeFileSync(fileOf(it), JSON.stringify({ version: 2 })),
    /of version 2, and this engine knows version 1/,
  ],
  [
    "another job's",
    (it) => writeFileSync(fileOf(it), JSON.stringify(record({ jobId: 8 }))),
    /for job 8 .*refused/,
  ],
  [
    'a link',
    (it) => {
      renameSync(fileOf(it), join(it.dir, 'r'));
      symlinkSync(join(it.dir, 'r'), fileOf(it));
    },
    /symbolic link: refused/,
  ],
];
if (root) SPOILED.push(["a user's", (it) => chownSync(fileOf(it), 1500, 1500), /belongs to uid 1500/]);

test.each(SPOILED)(
  'a record that is %s is refused, keeps no checkpoint from being published, and is replaced',
  async (_, spoil, why) => {
    using it = scene();
    await it.store.writeRun(record());
    spoil(it);
    expect(await refusal(it.store.readRun(7))).toMatch(why);
    await put(it.store, 7);
    expect(it.log.lines.filter(({ level }) => level === 'warn').at(-1)?.message).toMatch(why);
    await it.store.writeRun(record({ restarts: 2 }));
    expect(await it.store.readRun(7)).toEqual(record({ restarts: 2 }));
  },
);

test('an old copy publishes nothing once a newer run has begun, be it in the middle of its checkpoint', async () => {
  using it = scene();
  const actionId = randomUUID();
  const pending = await it.store.begin(7, actionId);
  writeImage(pending.dir);
  await it.other('n2').writeRun(record());
  expect(await refusal(pending.publish(manifest(7, actionId)))).toBe(
    'job 7 runs on n2 by now (restart 1): no checkpoint of its restart 0 is published',
  );
  expect(readdirSync(join(it.cluster, '7'))).toEqual(['run.json']);
  // The new run's own.
  await put(it.other('n2'), 7, { restarts: 1, node: 'n2' });
  expect(await it.store.ofJob(7)).toHaveLength(1);
});

test('a record of an earlier job with this id hinders nobody', async () => {
  using it = scene();
  await it.store.writeRun(record({ restarts: 5, startedAt: manifest(7, randomUUID()).submitAt - 1 }));
  await put(it.store, 7);
  expect(await it.store.ofJob(7)).toHaveLength(1);
});

test('the node of the newest run looks after the record, and it goes with the job', async () => {
  using it = scene();
  const n2 = it.other('n2');
  await it.store.claimRun(record({ node: 'n1', restarts: 0 }));
  expect([await it.store.upkeep.holds(7, 'n1'), await n2.upkeep.holds(7, 'n2')]).toEqual([true, false]);
  await n2.writeRun(record());
  expect([await it.store.upkeep.holds(7, 'n1'), await n2.upkeep.holds(7, 'n2')]).toEqual([false, true]);
  writeFileSync(fileOf(it), '{');
  expect(await n2.upkeep.holds(7, 'n2')).toBe(false);
  await n2.removeJob(7, 'test');
  expect([existsSync(join(it.cluster, '7')), await n2.upkeep.jobsOf('n2')]).toEqual([false, []]);
});

test('a node makes its own folder in a store that is there, and no store', async () => {
  using it = scene();
  await it.store.upkeep.settleIn();
  expect(readdirSync(join(it.cluster, '.nodes'))).toEqual(['n1']);
  renameSync(it.dir, `${it.dir}.away`);
  expect(await refusal(it.store.upkeep.settleIn())).toMatch(/is not there: mount it/);
  expect(existsSync(it.dir)).toBe(false);
  renameSync(`${it.dir}.away`, it.dir);
});
