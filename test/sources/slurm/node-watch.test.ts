import { expect, test } from 'vitest';
import { nextBeat } from '../../../daemon/system/node-phase.ts';
import { world } from './watched.ts';

const HOUR = 3_600_000;

test('tells the state of its node at once, then only when it changes', async () => {
  await using w = await world();
  w.watchNodes();
  await w.clock.run(60_000);
  expect(w.seen.events).toMatchObject([
    { type: 'node', facts: { node: 'n1', base: 'IDLE', flags: [], reason: '' } },
  ]);
  await w.fake.setNode('n1', 'mixed+drain', 'bad disk');
  await w.clock.run(60_000);
  await w.fake.setNode('n1', 'MIXED+DRAIN', 'worse disk');
  await w.clock.run(60_000);
  expect(w.seen.events.slice(1)).toMatchObject([
    { facts: { base: 'MIXED', flags: ['DRAIN'], reason: 'bad disk' } },
    { facts: { base: 'MIXED', flags: ['DRAIN'], reason: 'worse disk' } },
  ]);
  expect((await w.fake.calls('sinfo')).length).toBeLessThanOrEqual(13);
});

test('nodes that start in one moment do not look in one, unless it is urgent', async () => {
  const first = new Set<number>();
  for (const node of ['n1', 'n2', 'n7777']) {
    await using w = await world();
    const began = w.clock.now();
    w.watchNodes({ node, urgent: new AbortController().signal });
    await w.clock.whenSleeping();
    expect(await w.fake.calls()).toEqual([]);
    first.add(w.clock.nextAt() - began);
  }
  expect(first.size).toBe(3);
  await using w = await world();
  const urgent = new AbortController();
  w.watchNodes({ urgent: urgent.signal });
  await w.clock.whenSleeping();
  urgent.abort();
  await expect.poll(() => w.seen.events).toHaveLength(1);
});

test('asks for each of a few other nodes, and forgets those that no longer matter', async () => {
  await using w = await world();
  await w.fake.setNode('n2', 'mixed');
  await w.fake.setNode('n3', 'idle');
  let others = ['n2', 'n1'];
  w.watchNodes({ nodes: () => others });
  await w.clock.run(30_000);
  const names = () => w.seen.events.map((event) => (event.type === 'node' ? event.facts.node : event.type));
  expect(names()).toEqual(['n1', 'n2']);
  others = ['n3'];
  await w.clock.run(30_000);
  others = ['n2'];
  await w.clock.run(30_000);
  expect(names()).toEqual(['n1', 'n2', 'n3', 'n2']);
  const calls = await w.fake.calls('sinfo');
  expect(calls.every((call) => call.includes('-n'))).toBe(true);
});

test('asks for the nodes of a big job together, and seldom', async () => {
  await using w = await world();
  const others = Array.from({ length: 20 }, (_, i) => `m${i}`);
  for (const name of others) await w.fake.setNode(name, 'allocated');
  w.watchNodes({ nodes: () => others });
  await w.clock.run(HOUR / 6);
  expect(w.seen.events).toHaveLength(21);
  const calls = await w.fake.calls('sinfo');
  expect(calls.filter((call) => !call.includes('-n')).length).toBeLessThanOrEqual(11);
  await w.fake.setNode('m7', 'down+not_responding');
  await w.clock.run(75_000);
  expect(w.seen.events[21]).toMatchObject({ facts: { node: 'm7', base: 'DOWN' } });
});

test('of a big job, a node whose drain is known is asked for singly: its end is not seen a minute late', async () => {
  await using w = await world();
  const others = Array.from({ length: 20 }, (_, i) => `m${i}`);
  for (const name of others) await w.fake.setNode(name, name === 'm7' ? 'mixed+drain' : 'mixed', 'fan');
  w.watchNodes({ nodes: () => others });
  await w.clock.run(60_000);
  await w.fake.setNode('m7', 'mixed+drain', 'ckptd: termination notice ec2/spot, no deadline');
  await w.clock.run(15_000);
  expect(w.seen.events.at(-1)).toMatchObject({
    facts: { node: 'm7', reason: expect.stringMatching(/^ckptd/) },
  });
  await w.fake.setNode('m7', 'mixed');
  await w.clock.run(15_000);
  expect(w.seen.events.at(-1)).toMatchObject({ facts: { node: 'm7', flags: [] } });
  const tables = (await w.fake.calls('sinfo')).filter((call) => !call.includes('-n'));
  expect(tables.length).toBeLessThanOrEqual(2);
});

test('asks the whole table whether a node that looks busy, with a new reason, is down', async () => {
  await using w = await world();
  await w.fake.setNode('n1', 'mixed');
  w.watchNodes();
  await w.clock.run(30_000);
  await w.fake.setNode('n1', 'mixed', 'broken');
  await w.clock.run(HOUR / 60);
  const calls = await w.fake.calls('sinfo');
  expect(calls.filter((call) => !call.includes('-n'))).toHaveLength(1);
  expect(w.seen.events).toHaveLength(2);
});

test('a reason that outlived its drain costs one table, not one a job', async () => {
  await using w = await world();
  await w.fake.setNode('n1', 'idle', 'kernel update');
  w.watchNodes();
  await w.clock.run(30_000);
  for (let job = 0; job < 15; job++) {
    await w.fake.setNode('n1', 'allocated', 'kernel update');
    await w.clock.run(120_000);
    await w.fake.setNode('n1', 'idle', 'kernel update');
    await w.clock.run(120_000);
  }
  const tables = async () => (await w.fake.calls('sinfo')).filter((call) => !call.includes('-n')).length;
  expect(await tables()).toBe(1);
  expect(w.seen.events).toHaveLength(31);
  // Another reason, the same one anew, and a node that does not answer are to be looked into.
  await w.fake.setNode('n1', 'mixed', 'bad disk');
  await w.clock.run(30_000);
  expect(await tables()).toBe(2);
  await w.fake.setNode('n1', 'idle');
  await w.clock.run(30_000);
  await w.fake.setNode('n1', 'mixed', 'bad disk');
  await w.clock.run(30_000);
  expect(await tables()).toBe(3);
  await w.fake.setNode('n1', 'mixed+not_responding', 'bad disk');
  await w.clock.run(30_000);
  expect(await tables()).toBe(4);
});

test('a node that Slurm does not know is an error in the log, once, and no event', async () => {
  await using w = await world();
  w.watchNodes({ nodes: () => ['nobody'] });
  await w.clock.run(HOUR / 6);
  expect(w.seen.events).toHaveLength(1);
  expect(w.log.lines).toMatchObject([{ level: 'error', fields: { node: 'nobody' } }]);
});

test.each(['away', 'garbage', 'hang'] as const)(
  'slurmctld is %s for an hour: the last word holds',
  async (mode) => {
    await using w = await world();
    const watch = w.watchNodes({ slurm: { ...(await quick(w.fake.bin)) } });
    await w.clock.run(30_000);
    const before = (await w.fake.calls()).length;
    await w.fake.setMode(mode);
    await w.clock.run(mode === 'hang' ? HOUR / 6 : HOUR);
    expect((await w.fake.calls()).length - before).toBeLessThan(40);
    expect(w.seen.events).toHaveLength(1);
    expect(w.log.lines.map((line) => line.level)).toEqual(['warn']);
    expect(watch.counters()).toMatchObject({ garbage: mode === 'garbage' ? expect.any(Number) : 0 });
    expect(watch.counters().awaySince).not.toBeNull();
    await w.fake.setMode('well');
    await w.fake.setNode('n1', 'idle+drain');
    await w.clock.run(240_000);
    expect(w.seen.events[1]).toMatchObject({ facts: { flags: ['DRAIN'] } });
    expect(w.log.lines.map((line) => line.level)).toEqual(['warn', 'info']);
  },
);

async function quick(bin: string) {
  const { slurmCommands } = await import('../../../daemon/slurm/commands.ts');
  return slurmCommands(bin, 400);
}

test('ends when it is disposed of, with a command in flight', async () => {
  const w = await world();
  await w.fake.setMode('hang');
  const watch = w.watchNodes();
  await watch[Symbol.asyncDispose]();
  await watch.done;
  expect(w.seen.events).toEqual([]);
  await w[Symbol.asyncDispose]();
});

test('the beats of a thousand nodes are spread evenly', () => {
  const beats = Array.from({ length: 1000 }, (_, i) => nextBeat(`n${i}`, 15_000, 1_800_000_000_000) % 15_000);
  const perSecond = Array.from(
    { length: 15 },
    (_, i) => beats.filter((at) => Math.floor(at / 1000) === i).length,
  );
  expect(Math.max(...perSecond)).toBeLessThan(110);
  expect(Math.min(...perSecond)).toBeGreaterThan(35);
  for (const now of [0, 1, 14_999, 15_000, 1_800_000_000_001]) {
    const next = nextBeat('n1', 15_000, now);
    expect(next).toBeGreaterThan(now);
    expect(next).toBeLessThanOrEqual(now + 15_000);
    expect(nextBeat('n1', 15_000, next)).toBe(next + 15_000);
  }
});
