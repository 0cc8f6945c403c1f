import { expect, test } from 'vitest';
import { OLD_RUN_ENDS_WITHIN_MS } from '../../../daemon/engine/restore/choose/announce.ts';
import { isRoot } from '../owner/program/support.ts';
import { helpers, helpersLeft } from './helpers-left.ts';
import { DUMPED, LATE, Scene } from './scene.ts';
import { CLUSTER, id, orderOf } from './support.ts';

const record = (node: string) => ({
  ...({ version: 1, jobId: 7, clusterId: CLUSTER, restarts: 0, node, startedAt: 1 } as const),
});

test.runIf(isRoot)(
  'a run whose old node is silent is recorded, and touches no file before that node had its time',
  async () => {
    using scene = new Scene();
    await scene.checkpoint();
    scene.silent.add('n1');
    const started = scene.start(scene.engine());
    await scene.clock.whenSleeping();
    expect(scene.store.run).toMatchObject({ node: 'n2', restarts: 1 });
    expect([scene.home.names(), scene.home.text('out'), scene.staged]).toEqual([
      ['data', 'out'],
      DUMPED + LATE,
      [],
    ]);
    scene.clock.advance(OLD_RUN_ENDS_WITHIN_MS);
    expect((await started)?.actionId).toBe(id(1));
  },
);

test.runIf(isRoot)(
  'a run that was ordered, or whose old node is there, is recorded and waits for nobody',
  async () => {
    for (const ordered of [true, false]) {
      using scene = new Scene();
      await scene.checkpoint();
      if (ordered) {
        scene.silent.add('n1');
        scene.store.order = orderOf();
      }
      expect((await scene.start(scene.engine()))?.actionId).toBe(id(1));
      expect(scene.store.run).toMatchObject({ node: 'n2', restarts: 1 });
    }
  },
);

test.runIf(isRoot)(
  'what acts for the owner is there before Slurm has answered, and is not kept where nothing is restored',
  async () => {
    // Those of the tests before end by themselves.
    await helpersLeft(0);
    for (const restores of [true, false]) {
      using scene = new Scene();
      await scene.checkpoint();
      scene.slurm = [{ type: 'unavailable', message: 'no answer', garbage: false }];
      const engine = scene.engine();
      const started = scene.start(engine);
      await scene.clock.whenSleeping();
      await helpersLeft(1);
      const [pid] = helpers();
      expect([scene.home.names(), scene.staged]).toEqual([['data', 'out'], []]);
      scene.slurm = [scene.job({ name: restores ? 'train' : 'another' })];
      scene.clock.advance(60_000);
      expect((await started)?.actionId ?? null).toBe(restores ? id(1) : null);
      if (restores) {
        expect(helpers()).toEqual([pid]);
        await engine.ended(7);
      }
      await helpersLeft(0);
    }
  },
);

test('a run without a checkpoint is recorded and waits, where another node has recorded one', async () => {
  using scene = new Scene();
  scene.store.run = record('n1');
  scene.silent.add('n1');
  const started = scene.start(scene.engine());
  await scene.clock.whenSleeping();
  expect(scene.store.run).toMatchObject({ node: 'n2', restarts: 1 });
  scene.clock.advance(OLD_RUN_ENDS_WITHIN_MS);
  expect(await started).toBeNull();
  expect(scene.looks).toBe(1);
});

test.each([
  ['a run without a checkpoint', false, 1],
  ['the same where no Prolog says which restart it is', false, null],
  ['a run whose newest checkpoint is a third node’s', true, 1],
])('%s: an engine that ends within the wait is followed by one that waits', async (_, saved, restarts) => {
  using scene = new Scene();
  scene.store.run = record('n1');
  scene.silent.add('n1');
  if (saved) {
    await scene.checkpoint(1, { node: 'n3' });
    // Nothing is restored, so that this needs no root.
    scene.slurm = [scene.job({ name: 'another' })];
  }
  const first = scene.start(scene.engine(), restarts);
  await scene.clock.whenSleeping();
  scene.stop();
  expect(await first).toBeNull();
  let isOver = false;
  const second = scene.start(scene.engine(), restarts).finally(() => {
    isOver = true;
  });
  await Promise.race([second, scene.clock.whenSleeping()]);
  scene.clock.advance(OLD_RUN_ENDS_WITHIN_MS - 1);
  await new Promise(setImmediate);
  expect(isOver).toBe(false);
  scene.clock.advance(1);
  expect(await second).toBeNull();
});

test('the next run on the same node asks for no node that the one before waited for', async () => {
  using scene = new Scene();
  scene.store.run = { ...record('n2'), restarts: 1, before: ['n1'] };
  scene.silent.add('n1');
  expect(await scene.start(scene.engine(), 2)).toBeNull();
  expect(scene.looks).toBe(0);
});

test('a run without a checkpoint, recorded here or nowhere, costs nothing', async () => {
  using scene = new Scene();
  expect(await scene.start(scene.engine())).toBeNull();
  expect(scene.store.run).toBeNull();
  scene.store.run = record('n2');
  expect(await scene.start(scene.engine())).toBeNull();
  expect([scene.store.run, scene.looks]).toEqual([record('n2'), 0]);
});

test('a run that does not resume waits too: it would write beside the old one', async () => {
  using scene = new Scene();
  await scene.checkpoint();
  scene.slurm = [scene.job({ name: 'another' })];
  scene.silent.add('n1');
  const started = scene.start(scene.engine());
  await scene.clock.whenSleeping();
  scene.clock.advance(OLD_RUN_ENDS_WITHIN_MS);
  expect(await started).toBeNull();
  expect(scene.store.run).toMatchObject({ node: 'n2' });
});

test.runIf(isRoot)(
  'a move that failed leaves an order that comes late: what the job saved since counts, and its old node is waited for',
  async () => {
    using scene = new Scene();
    const order = orderOf();
    scene.store.order = order;
    await scene.checkpoint(1, { reason: 'restore' });
    await scene.checkpoint(2, { takenAt: order.createdAt + 1 });
    scene.silent.add('n1');
    const started = scene.start(scene.engine());
    await scene.clock.whenSleeping();
    scene.clock.advance(OLD_RUN_ENDS_WITHIN_MS);
    expect((await started)?.actionId).toBe(id(2));
    expect(scene.said('warn')[0]).toBe(
      `job 7 ran on after it was to be restored from checkpoint ${id(1)}: that order is void`,
    );
  },
);

test('without Slurm, an order that is void is nobody’s word', async () => {
  using scene = new Scene();
  const order = orderOf();
  scene.store.order = order;
  scene.slurm = [{ type: 'unavailable', message: 'no answer', garbage: false }];
  await scene.checkpoint(1, { reason: 'restore' });
  await scene.checkpoint(2, { takenAt: order.createdAt + 1 });
  const started = scene.start(scene.engine(), 1);
  for (let looks = 1; looks < 6; looks++) {
    await scene.clock.whenSleeping();
    scene.clock.advance(60_000);
  }
  expect(await started).toBeNull();
  expect(scene.lost).toBe('no answer');
});

test('an id that came back as another job’s is not recorded beside the old job’s checkpoints', async () => {
  using scene = new Scene();
  await scene.checkpoint(1, { uid: 4242 });
  scene.silent.add('n1');
  expect(await scene.start(scene.engine())).toBeNull();
  expect([scene.store.run, scene.store.asked.length]).toEqual([null, 1]);
});
