import { expect, test } from 'vitest';
import { OLD_RUN_ENDS_WITHIN_MS } from '../../../daemon/engine/start/announce.ts';
import { isRoot } from '../as-owner/support.ts';
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

test('an id that came back as another job’s is not recorded beside the old job’s checkpoints', async () => {
  using scene = new Scene();
  await scene.checkpoint(1, { uid: 4242 });
  scene.silent.add('n1');
  expect(await scene.start(scene.engine())).toBeNull();
  expect([scene.store.run, scene.store.asked.length]).toEqual([null, 1]);
});
