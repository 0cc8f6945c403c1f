import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { StoreError } from '../../../../daemon/engine/store-error.ts';
import { until } from '../../../lab/until.ts';
import { isRoot, OWNER } from '../../owner/program/support.ts';
import { Scene } from '../scene.ts';
import { id } from '../support.ts';

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
  expect(scene.said('warn')).toContain(
    'job 7: checkpoints whose files its run 1 has overwritten are not deprecated yet: it is tried until the store answers (ls /nowhere)',
  );
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

/** The store takes no change until the function that this returns is called. */
function takesNothing({ store }: Scene): () => void {
  const { deprecate } = store;
  store.deprecate = async () => {
    throw new StoreError('the file system of /shared hangs');
  };
  return () => {
    store.deprecate = deprecate;
  };
}

/** What was left is settled in time, with no start of the job and no other engine. */
async function isSettled(scene: Scene): Promise<void> {
  expect(scene.marks).toEqual([`7.1.${OWNER.uid}`]);
  scene.clock.advance(5_000);
  await settled(scene);
  expect(scene.store.found.map(({ deprecated }) => deprecated)).toEqual([ANEW(1)]);
}

test('a run that may not resume and whose checkpoints the store does not let go is marked', async () => {
  using scene = new Scene();
  await scene.checkpoint();
  scene.slurm = [scene.job({ name: 'another' })];
  const answers = takesNothing(scene);
  expect(await scene.start(scene.engine())).toBeNull();
  expect(scene.marks).toEqual([`7.1.${OWNER.uid}`]);
  scene.clock.advance(5_000);
  await expect
    .poll(() => scene.said('error').filter((text) => /cannot be deprecated/.test(text)))
    .toHaveLength(2);
  answers();
  await scene.clock.whenSleeping();
  scene.clock.advance(5_000);
  await isSettled(scene);
});

test('a run that Slurm says nothing of is marked too', async () => {
  using scene = new Scene();
  await scene.checkpoint();
  scene.slurm = [{ type: 'unavailable', message: 'no answer', garbage: false }];
  const answers = takesNothing(scene);
  const started = scene.start(scene.engine(), 1);
  for (let looks = 1; looks < 6; looks++) {
    await scene.clock.whenSleeping();
    scene.clock.advance(60_000);
  }
  expect(await started).toBeNull();
  answers();
  await isSettled(scene);
});

test('a run none of whose checkpoints can be restored here is marked too', async () => {
  using scene = new Scene();
  await scene.checkpoint(1, { cpuFlags: ['a flag that no CPU has'] });
  const answers = takesNothing(scene);
  expect(await scene.start(scene.engine())).toBeNull();
  answers();
  await isSettled(scene);
});

test.runIf(isRoot).each(['looked into', 'changed'])(
  'a restore that fails while the store cannot be %s is marked too',
  async (how) => {
    using scene = new Scene();
    await scene.checkpoint();
    const engine = scene.engine();
    expect((await scene.start(engine))?.actionId).toBe(id(1));
    const answers = takesNothing(scene);
    scene.store.hangs = how === 'looked into';
    expect(await engine.failed(7, 'CRIU says no')).toEqual({ ok: true });
    scene.store.hangs = false;
    answers();
    await isSettled(scene);
  },
);
