import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { until } from '../../lab/until.ts';
import { OWNER } from '../as-owner/support.ts';
import { Scene } from './scene.ts';

const ANEW = (restarts: number) =>
  `job 7 began anew as restart ${restarts}: this does not fit its files any more`;
const settled = (scene: Scene) =>
  until(() => scene.marks.length === 0, { what: 'the marks to be settled', everyMs: 5 });

test('what began anew while there was no engine is found by the next one', async () => {
  using scene = new Scene();
  await scene.checkpoint(1);
  await scene.checkpoint(2, { restarts: 1 });
  await scene.checkpoint(3, { restarts: 2 });
  scene.mark(`7.2.${OWNER.uid}`);
  scene.engine();
  await settled(scene);
  // The third is of that very run.
  expect(scene.store.found.map(({ deprecated }) => deprecated)).toEqual([null, ANEW(2), ANEW(2)]);
  await expect
    .poll(() => scene.said('info'))
    .toEqual(['job 7 began anew as restart 2 while nobody could be asked']);
});

test('the checkpoints of another user with that id are left to whoever owns it', async () => {
  using scene = new Scene();
  await scene.checkpoint(1, { uid: 5 });
  scene.mark(`7.1.${OWNER.uid}`);
  scene.engine();
  await settled(scene);
  expect(scene.store.asked).toEqual([]);
});

test('a mark that was left since is settled before the next start of that job', async () => {
  using scene = new Scene();
  await scene.checkpoint();
  const engine = scene.engine();
  scene.mark(`7.1.${OWNER.uid}`);
  scene.slurm = [scene.job({ restarts: 2 })];
  expect(await scene.start(engine, 2)).toBeNull();
  expect(scene.store.found[0]?.deprecated).toBe(ANEW(1));
  expect(scene.looks).toBe(0);
});

test('a mark stays for as long as the store cannot be asked', async () => {
  using scene = new Scene();
  await scene.checkpoint();
  scene.mark(`7.1.${OWNER.uid}`);
  scene.store.problem = 'the store is away';
  const first = scene.engine();
  expect(await scene.start(first, 2)).toBeNull();
  expect(scene.marks.toSorted()).toEqual([`7.1.${OWNER.uid}`, `7.2.${OWNER.uid}`]);
  expect(scene.said('warn')).toContain('checkpoints that a run has overwritten are not deprecated yet');
  scene.store.problem = null;
  scene.engine();
  await settled(scene);
  expect(scene.store.found[0]?.deprecated).toMatch(/^job 7 began anew as restart [12]:/);
});

test.each(['7', '7.1', '07.1.1500', '7.1.1500.2', '0.1.1500', 'x', '7.-1.1500', '4294967295.1.0'])(
  'a file named %s is no mark, and stays',
  async (name) => {
    using scene = new Scene();
    await scene.checkpoint();
    scene.mark(name);
    scene.slurm = [scene.job({ restarts: 1 })];
    await scene.start(scene.engine(), 5);
    expect(scene.marks).toEqual([name]);
    expect(scene.store.asked).toEqual([]);
  },
);

test('a folder that others may write to is not believed', async () => {
  using scene = new Scene();
  await scene.checkpoint();
  scene.mark(`7.1.${OWNER.uid}`);
  chmodSync(join(scene.work, 'run/anew'), 0o777);
  scene.slurm = [scene.job({ restarts: 1 })];
  await scene.start(scene.engine(), 5);
  expect(scene.store.asked).toEqual([]);
  expect(scene.said('error')).toContain(
    'runs that began anew are not read from there: others may write to it',
  );
});
