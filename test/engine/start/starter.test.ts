import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isRoot, OWNER } from '../as-owner/support.ts';
import { hasPython, restoredTree } from './restored-tree.ts';
import { DUMPED, LATE, Scene } from './scene.ts';
import { id, orderOf } from './support.ts';

const asRoot = test.runIf(isRoot);
const whole = test.runIf(isRoot && hasPython);
const OK = { ok: true };
const ANEW = /^job 7 began anew as restart 1: this does not fit its files any more$/;

test('a job without a checkpoint starts at once, and Slurm is not asked', async () => {
  using scene = new Scene();
  expect(await scene.start(scene.engine())).toBeNull();
  await scene.checkpoint();
  scene.store.found = scene.store.found.map((found) => ({ ...found, deprecated: 'by hand' }));
  expect(await scene.start(scene.engine())).toBeNull();
  expect(scene.looks).toBe(0);
  expect(scene.log.lines).toEqual([]);
});

whole('a job comes back: its files as they were at the dump, whatever was written since', async () => {
  using scene = new Scene();
  await scene.checkpoint();
  scene.store.order = orderOf();
  const engine = scene.engine();
  const plan = await scene.start(engine);
  expect(plan?.actionId).toBe(id(1));
  expect(plan?.argv.slice(0, 6).join(' ')).toBe(
    `/usr/lib/ckptd/ckptd-criu init --uid ${OWNER.uid} --gid ${OWNER.gid}`,
  );
  const places = join(scene.work, 'restore/7.1');
  expect(readFileSync(join(places, 'images/core.img'), 'utf8')).toBe('image of 1');
  expect(scene.home.names()).toEqual(['.out.ckptd-7.1', 'data']);
  scene.stepdOpens();

  await using tree = await restoredTree(scene.home, join(places, 'work/restore.log'));
  expect(await engine.go(7, tree.task)).toEqual(OK);
  // What CRIU compares is as it was; the output is not cut before everything has gone well.
  expect(scene.home.text('data')).toBe('0123');
  expect(scene.home.text('out')).toBe(DUMPED + LATE);
  expect(await engine.check(7)).toEqual(OK);
  expect(scene.home.text('out')).toBe(DUMPED);
  expect(await engine.restored(7, { init: tree.init, root: 2 })).toEqual(OK);
  expect(scene.home.names().filter((name) => name.includes('out'))).toEqual(['out']);
  expect(JSON.parse(readFileSync(join(scene.work, 'run/runs/7.json'), 'utf8'))).toEqual({
    jobId: 7,
    restarts: 1,
    init: tree.init,
    initStart: expect.any(Number),
    root: 2,
  });
  expect(scene.staged).toEqual([]);
  expect(scene.store.asked).toEqual([]);
  await engine.ended(7);
  expect(existsSync(join(scene.work, 'run/runs/7.json'))).toBe(false);
});

asRoot('a restore that fails loses no output, and the checkpoints that fit no more are said to', async () => {
  using scene = new Scene();
  await scene.checkpoint(1);
  await scene.checkpoint(2);
  const engine = scene.engine();
  expect((await scene.start(engine))?.actionId).toBe(id(2));
  scene.stepdOpens();
  expect(await engine.go(7, process.pid)).toEqual(OK);
  expect(await engine.failed(7, 'CRIU said no')).toEqual(OK);
  expect(scene.home.names()).toEqual(['data', 'out']);
  expect(scene.home.text('out')).toBe(DUMPED + LATE);
  expect(scene.staged).toEqual([]);
  expect(scene.said('error')).toEqual([
    `job 7 begins anew, checkpoint ${id(2)} could not be restored: CRIU said no`,
  ]);
  expect(scene.store.found.map(({ deprecated }) => deprecated)).toEqual([
    expect.stringMatching(ANEW),
    expect.stringMatching(ANEW),
  ]);
});

asRoot('reports that come twice, too early or too late change nothing', async () => {
  using scene = new Scene();
  await scene.checkpoint();
  const engine = scene.engine();
  const none = { ok: false, message: 'job 7 is not being restored here' };
  expect(await engine.go(7, process.pid)).toEqual(none);
  expect(await engine.failed(7, 'late')).toEqual(none);
  await scene.start(engine);
  const early = { ok: false, message: 'the restore of job 7 is prepared: this is not its turn' };
  expect(await engine.check(7)).toEqual(early);
  expect(await engine.restored(7, { init: 1, root: 1 })).toEqual(early);
  expect(await engine.go(7, 4_194_303)).toEqual({ ok: false, message: 'there is no process 4194303' });
  scene.stepdOpens();
  expect(await engine.go(7, process.pid)).toEqual(OK);
  expect(await engine.go(7, process.pid)).toMatchObject({ ok: false });
  expect(await engine.restored(7, { init: process.pid, root: 1 })).toMatchObject({ ok: false });
  expect(await engine.failed(7, 'once')).toEqual(OK);
  expect(await engine.failed(7, 'twice')).toEqual(none);
  expect(scene.home.text('out')).toBe(DUMPED + LATE);
});

asRoot('all that is asked of one job at once is done one after the other', async () => {
  using scene = new Scene();
  await scene.checkpoint();
  const engine = scene.engine();
  const [plan, gone, failed] = await Promise.all([
    scene.start(engine),
    engine.go(7, process.pid),
    engine.failed(7, 'at once'),
  ]);
  expect([plan?.actionId, gone, failed]).toEqual([id(1), OK, OK]);
  expect(scene.home.names()).toEqual(['data', 'out']);
});

asRoot(
  'a run that ends before it is restored leaves its files and its checkpoints for the next',
  async () => {
    using scene = new Scene();
    await scene.checkpoint();
    const engine = scene.engine();
    await scene.start(engine);
    scene.stepdOpens();
    await engine.ended(7);
    expect(scene.home.names()).toEqual(['data', 'out']);
    expect(scene.home.text('out')).toBe(DUMPED + LATE);
    expect(scene.staged).toEqual([]);
    expect(scene.store.asked).toEqual([]);
    scene.slurm = [scene.job({ restarts: 2 })];
    expect((await scene.start(engine))?.actionId).toBe(id(1));
  },
);

asRoot('what a node that died left aside, the next one finds', async () => {
  using scene = new Scene();
  await scene.checkpoint();
  await scene.start(scene.engine());
  scene.stepdOpens();
  // The other node has another disk.
  rmSync(join(scene.work, 'restore'), { recursive: true });
  scene.slurm = [scene.job({ restarts: 2 })];
  const engine = scene.engine();
  expect((await scene.start(engine))?.actionId).toBe(id(1));
  scene.stepdOpens();
  expect(await engine.go(7, process.pid)).toEqual(OK);
  expect(scene.home.text('out')).toBe(DUMPED + LATE);
});

asRoot('an engine that is started again in between goes on where the other was', async () => {
  using scene = new Scene();
  await scene.checkpoint();
  await scene.start(scene.engine());
  scene.stepdOpens();
  expect(await scene.engine().go(7, process.pid)).toEqual(OK);
  expect(scene.home.text('data')).toBe('0123');
  expect(await scene.engine().failed(7, 'after all')).toEqual(OK);
  expect(scene.home.text('out')).toBe(DUMPED + LATE);
  expect(scene.staged).toEqual([]);
});

asRoot('a plugin that asks again after the engine was killed gets the same again', async () => {
  using scene = new Scene();
  await scene.checkpoint();
  const [first, second] = [await scene.start(scene.engine()), await scene.start(scene.engine())];
  expect(second).toEqual(first);
  expect(scene.home.names()).toEqual(['.out.ckptd-7.1', 'data']);
});

asRoot.each(['the same engine', 'the next engine'])(
  'when the task never comes, %s gives the output back',
  async (who) => {
    using scene = new Scene();
    await scene.checkpoint();
    const first = scene.engine();
    await scene.start(first);
    scene.stepdOpens();
    const engine = who === 'the same engine' ? first : scene.engine();
    await scene.clock.whenSleeping(who === 'the same engine' ? 1 : 2);
    scene.clock.advance(10 * 60_000);
    while (scene.staged.length > 0) await new Promise(setImmediate);
    expect(await engine.go(7, process.pid)).toEqual({
      ok: false,
      message: 'job 7 is not being restored here',
    });
    expect(scene.home.text('out')).toBe(DUMPED + LATE);
    expect(scene.staged).toEqual([]);
  },
);

asRoot('a damaged checkpoint is deprecated, and the one before it is used', async () => {
  using scene = new Scene();
  await scene.checkpoint(1);
  const dir = await scene.checkpoint(2);
  truncateSync(join(dir, 'images/core.img.zst'), 3);
  expect((await scene.start(scene.engine()))?.actionId).toBe(id(1));
  expect(scene.said('error')).toEqual([
    expect.stringMatching(
      `^job 7 cannot be restored from checkpoint ${id(2)}: its image core.img.zst has 3 bytes and not \\d+$`,
    ),
  ]);
  expect(scene.store.asked).toEqual([
    expect.stringMatching(/^deprecate 2: its image core.img.zst has 3 bytes/),
  ]);
});

test.each([
  [
    'another CRIU',
    { criu: { version: '3.17', restoreOptions: [] } },
    'it was taken with CRIU 3.17, and this node has 4.2.1',
  ],
  [
    'a missing CPU flag',
    { cpuFlags: ['no_such_flag'] },
    "this node's CPU lacks no_such_flag, which the job may use",
  ],
  [
    'an option that nobody knows',
    { criu: { version: '4.2.1', restoreOptions: ['--root=/x'] } },
    "it asks for options of CRIU's that are not known: --root=/x",
  ],
])('%s: the job begins anew, and an error says why', async (_, fields, why) => {
  using scene = new Scene();
  await scene.checkpoint(1, fields);
  expect(await scene.start(scene.engine())).toBeNull();
  expect(scene.said('error')).toEqual([
    `job 7 cannot be restored from checkpoint ${id(1)}: ${why}`,
    'job 7 begins anew: none of its checkpoints can be restored here',
  ]);
  expect(scene.log.lines.at(0)?.fields).toMatchObject({ job_id: 7, restarts: 1, action_id: id(1) });
  expect(scene.home.text('out')).toBe(DUMPED + LATE);
  expect(scene.store.found[0]?.deprecated).not.toBeNull();
  expect(scene.staged).toEqual([]);
});

asRoot('a file that shrank since: the job begins anew, and nothing of it was touched', async () => {
  using scene = new Scene();
  await scene.checkpoint();
  scene.home.file('data', '1');
  expect(await scene.start(scene.engine())).toBeNull();
  expect(scene.said('error')[0]).toMatch(/data has 1 bytes, and had 4 when the checkpoint was taken$/);
  expect(scene.home.names()).toEqual(['data', 'out']);
});

test('an id that was reused by another user: the old checkpoints go', async () => {
  using scene = new Scene();
  await scene.checkpoint(1, { uid: 5 });
  expect(await scene.start(scene.engine())).toBeNull();
  expect(scene.store.asked).toEqual([expect.stringMatching(/^remove: .*it belongs to uid 5/)]);
});

test('a plugin that names another owner than Slurm gets nothing, and nothing is removed', async () => {
  using scene = new Scene();
  await scene.checkpoint();
  expect(await scene.engine().start({ jobId: 7, uid: 5, gid: 5 })).toBeNull();
  expect(scene.store.asked).toEqual([]);
  expect(scene.said('error')).toEqual([expect.stringContaining("the SPANK plugin says it is uid 5's")]);
});

asRoot('a slurmctld that is busy is asked again', async () => {
  using scene = new Scene();
  await scene.checkpoint();
  scene.slurm = [{ type: 'unavailable', message: 'timed out', garbage: false }, scene.job()];
  const plan = scene.start(scene.engine());
  await scene.clock.whenSleeping();
  scene.clock.advance(1_000);
  expect((await plan)?.actionId).toBe(id(1));
});

test('while nobody knows which run this is, the job begins anew and keeps its checkpoints', async () => {
  using scene = new Scene();
  await scene.checkpoint();
  scene.slurm = [{ type: 'unavailable', message: 'timed out', garbage: false }];
  const plan = scene.start(scene.engine());
  for (const seconds of [1, 2, 4, 8, 16]) {
    await scene.clock.whenSleeping();
    scene.clock.advance(seconds * 1_000);
  }
  expect(await plan).toBeNull();
  expect(scene.said('error')).toEqual(['job 7 begins anew, although it has checkpoints: timed out']);
  expect(scene.store.asked).toEqual([]);
});

test('a store that cannot be looked at is an error, and the job begins anew', async () => {
  using scene = new Scene();
  scene.store.problem = '/shared/ckpt/7 belongs to uid 1000, not to 0: refused';
  expect(await scene.start(scene.engine())).toBeNull();
  expect(scene.said('error')).toEqual([`job 7 begins anew: ${scene.store.problem}`]);
});

asRoot('node-local files alone come back before the script starts from its beginning', async () => {
  using scene = new Scene();
  const scratch = scene.home.at('scratch');
  execFileSync('sh', [
    '-c',
    `mkdir ${scratch} && echo kept > ${scratch}/file && chown -R ${OWNER.uid} ${scratch}`,
  ]);
  const tar = join(scene.work, 'local.tar');
  execFileSync('tar', ['-cf', tar, '-C', '/', `.${scratch}`, `.${scratch}/file`]);
  rmSync(scratch, { recursive: true });
  await scene.checkpoint(1);
  const dir = await scene.checkpoint(2, { kind: 'rootfsonly', criu: null, images: [] });
  const { storeFile } = await import('../../../daemon/engine/dump/compress.ts');
  const { storedBytes } = await storeFile(tar, join(dir, 'local.tar.zst'), 'zstd');
  const [newest, older] = scene.store.found;
  const archive = { name: 'local.tar.zst', bytes: storedBytes };
  scene.store.found = [{ ...newest!, manifest: { ...newest!.manifest, archive } }, older!];
  expect(await scene.start(scene.engine())).toBeNull();
  expect(scene.home.text('scratch/file')).toBe('kept\n');
  expect(scene.said('info')).toEqual([`job 7 begins anew with its files from checkpoint ${id(2)}`]);
  // The processes of the older one are of no use for a script that starts from its beginning.
  expect(scene.store.found.map(({ deprecated }) => deprecated)).toEqual([null, expect.stringMatching(ANEW)]);
  expect(scene.staged).toEqual([]);
});

asRoot('an archive cannot write where the owner may not', async () => {
  using scene = new Scene();
  const victim = join(scene.work, 'victim');
  writeFileSync(victim, 'of root');
  execFileSync('sh', [
    '-c',
    `cd ${scene.work} && mkdir -p t && echo evil > t/victim && tar -cf local.tar -C / .${scene.work}/t/victim --transform s,/t/,/,`,
  ]);
  const dir = await scene.checkpoint(1, { kind: 'rootfsonly', criu: null, images: [] });
  const { storeFile } = await import('../../../daemon/engine/dump/compress.ts');
  const { storedBytes } = await storeFile(join(scene.work, 'local.tar'), join(dir, 'local.tar.zst'), 'zstd');
  const [found] = scene.store.found;
  scene.store.found = [
    { ...found!, manifest: { ...found!.manifest, archive: { name: 'local.tar.zst', bytes: storedBytes } } },
  ];
  expect(await scene.start(scene.engine())).toBeNull();
  expect(readFileSync(victim, 'utf8')).toBe('of root');
  expect(scene.said('error')[0]).toMatch(/its node-local files cannot be put back: .*victim/s);
});

asRoot.each([
  ['no file', null, true],
  ['a rule that says no', 'policies: [{match: {name: tr*}, resume: false}]', false],
  ['a rule that leaves the job alone', 'policies: [{match: {user: ann}, enabled: false}]', false],
  ['a rule for others', 'policies: [{match: {user: bob}, resume: false}]', true],
  ['a file that is broken', 'policies: [{match: {user: ann}, resume: perhaps}]', true],
  ['a cluster of its own', 'cluster_id: 11111111-1111-4111-8111-111111111111\napi: {url: unix:/x}', true],
])('with %s in the place of the policies', async (_, text, comesBack) => {
  using scene = new Scene();
  await scene.checkpoint();
  if (text !== null) writeFileSync(join(scene.work, 'ckptd.yaml'), text);
  expect((await scene.start(scene.engine())) !== null).toBe(comesBack);
  const warned = scene.said('warn');
  expect(warned).toEqual(text?.includes('perhaps') ? ['its policies cannot be read: every job resumes'] : []);
});
