import { existsSync, renameSync, rmSync } from 'node:fs';
import { expect, test } from 'vitest';
import { isRoot } from '../owner/program/support.ts';
import { hasPython, restoredTree } from './restored-tree.ts';
import { DUMPED, LATE, Scene } from './scene.ts';
import { orderOf } from './support.ts';

const whole = test.runIf(isRoot && hasPython);
const OK = { ok: true };
const asRoot = test.runIf(isRoot);

/** Slurmstepd's own file, which another job may have opened. */
const KEPT = expect.stringMatching(
  /^a job that opened .*out while this one came back writes to .*out\.ckptd-7\.1$/,
);

/** Job 7 comes back, up to where CRIU lets go of it. */
async function comesBack(scene: Scene): Promise<void> {
  const engine = scene.engine();
  const plan = await scene.start(engine);
  expect(plan).not.toBeNull();
  scene.stepdOpens();
  await using tree = await restoredTree(scene.home);
  expect(await engine.go(7, tree.task)).toEqual(OK);
  expect(await engine.check(7)).toEqual(OK);
  expect(await engine.restored(7, { init: tree.init, root: 2 })).toEqual(OK);
}

whole('what other jobs wrote to a common output after the dump of a job that moves stays', async () => {
  using scene = new Scene();
  await scene.checkpoint(1, { reason: 'restore' });
  scene.store.order = orderOf();
  scene.store.others = [scene.home.at('out')];
  await comesBack(scene);
  expect(scene.home.text('out')).toBe(DUMPED + LATE);
  expect(scene.said('warn')).toEqual([KEPT]);
});

whole('after a crash a common output stays whole, and a warning says what may be in it twice', async () => {
  using scene = new Scene();
  await scene.checkpoint();
  scene.store.others = [scene.home.at('out')];
  await comesBack(scene);
  expect(scene.home.text('out')).toBe(DUMPED + LATE);
  expect(scene.said('warn')).toEqual([
    expect.stringMatching(/out stays as it is, since other jobs go on with it: .* may come twice$/),
    KEPT,
  ]);
});

whole('a common output that another job cut since is no reason to begin anew', async () => {
  using scene = new Scene();
  await scene.checkpoint();
  scene.home.file('out', 'line 1\n');
  await comesBack(scene);
  expect(scene.home.text('out')).toBe('line 1\n');
});

whole('where the store cannot say who shares an output, it is not cut', async () => {
  using scene = new Scene();
  await scene.checkpoint();
  scene.store.namedByOthers = () => Promise.reject(new Error('it hangs'));
  await comesBack(scene);
  expect(scene.home.text('out')).toBe(DUMPED + LATE);
  expect(scene.said('warn')).toContain(
    'whether other jobs append to the files of job 7 is not known: they are not cut',
  );
});

asRoot('a job waits while another one has their common output aside', async () => {
  using scene = new Scene();
  await scene.checkpoint();
  const [out, aside, made] = ['out', '.out.ckptd-9.1', '.out.ckptd-9.1.new'].map((name) =>
    scene.home.at(name),
  );
  scene.store.others = [out!];
  renameSync(out!, aside!);
  const plan = scene.start(scene.engine());
  await scene.clock.whenSleeping();
  scene.stepdOpens();
  scene.clock.advance(500);
  await scene.clock.whenSleeping();
  renameSync(out!, made!);
  renameSync(aside!, out!);
  scene.clock.advance(500);
  await scene.clock.whenSleeping();
  // CRIU has opened it.
  rmSync(made!);
  scene.clock.advance(500);
  expect(await plan).not.toBeNull();
  expect(scene.said('error')).toEqual([]);
  expect(existsSync(scene.home.at('.out.ckptd-7.1'))).toBe(true);
});

asRoot.each([
  ['lost', '.out.ckptd-9.1', /out: it is gone$/],
  ['back all the same', '.out.ckptd-9.1.new', null],
])('one that died on its way back is waited for half a minute; the job is %s', async (_, left, lost) => {
  using scene = new Scene();
  await scene.checkpoint();
  scene.store.others = [scene.home.at('out')];
  if (lost === null) scene.home.file(left, '');
  else renameSync(scene.home.at('out'), scene.home.at(left));
  const plan = scene.start(scene.engine());
  await scene.clock.run(29_500);
  scene.clock.advance(500);
  expect((await plan) === null).toBe(lost !== null);
  if (lost) expect(scene.lost).toMatch(lost);
  expect(scene.said('warn')).toEqual([expect.stringMatching(/^job 9 .* for 30 s: it is not waited for$/)]);
});

asRoot('an output that is read as well is cut before CRIU holds it to its size', async () => {
  using scene = new Scene();
  await scene.checkpoint();
  const [found] = scene.store.found;
  const files = found!.manifest.files.map((file) => ({ ...file, sized: true }));
  scene.store.found = [{ ...found!, manifest: { ...found!.manifest, files } }];
  scene.store.others = [scene.home.at('out')];
  const engine = scene.engine();
  expect(await scene.start(engine)).not.toBeNull();
  scene.stepdOpens();
  expect(await engine.go(7, process.pid)).toEqual(OK);
  expect(scene.home.text('out')).toBe(DUMPED);
  expect(scene.home.text('out.ckptd-7.1')).toBe(LATE);
});
