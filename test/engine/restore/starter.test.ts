import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { storeFile } from '../../../daemon/engine/files/compress.ts';
import { type AsOwner, asOwner } from '../../../daemon/engine/owner/as-owner.ts';
import { MOST_HANGING_MS } from '../../../daemon/engine/restore/store-back.ts';
import { Lanes } from '../../../daemon/system/lanes.ts';
import { systemExec } from '../../../daemon/system/process/exec.ts';
import { type Creds, ordinary } from '../criu/images/made-images.ts';
import { isRoot, OWNER, PROGRAM } from '../owner/program/support.ts';
import { helpersLeft } from './helpers-left.ts';
import { hasPython, restoredTree } from './restored-tree.ts';
import { DUMPED, LATE, Scene } from './scene.ts';
import { id, orderOf } from './support.ts';

const asRoot = test.runIf(isRoot);
const whole = test.runIf(isRoot && hasPython);
const OK = { ok: true };
const SILENT = { type: 'unavailable', message: 'timed out', garbage: false } as const;
const ANEW = /^job 7 began anew as restart 1: this does not fit its files any more$/;

test('a job without a checkpoint starts at once, and Slurm is not asked', async () => {
  using scene = new Scene();
  expect(await scene.start(scene.engine())).toBeNull();
  await scene.checkpoint();
  scene.store.found = scene.store.found.map((found) => ({ ...found, deprecated: 'by hand' }));
  expect(await scene.start(scene.engine())).toBeNull();
  expect(scene.lost).toBeNull();
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
  expect(readFileSync(join(places, 'images/pages-1.img'), 'utf8')).toBe('pages of 1');
  expect(scene.home.names()).toEqual(['.out.ckptd-7.1', 'data']);
  scene.stepdOpens();

  await helpersLeft(1);
  await using tree = await restoredTree(scene.home);
  expect(await engine.go(7, tree.task)).toEqual(OK);
  // What CRIU compares is as it was; the output is not cut before everything has gone well.
  expect(scene.home.text('data')).toBe('0123');
  expect(scene.home.text('out')).toBe(DUMPED + LATE);
  expect(await engine.check(7)).toEqual(OK);
  expect(scene.home.text('out')).toBe(DUMPED);
  expect(await engine.restored(7, { init: tree.init, root: 2 })).toEqual(OK);
  // An output may be of several jobs: what it got since the dump is kept, once, and the job's id is told with it.
  expect(await engine.restored(7, { init: tree.init, root: 2 })).toEqual(OK);
  expect(await scene.engine().restored(7, { init: tree.init, root: 2 })).toEqual(OK);
  expect(await engine.restored(7, { init: tree.init, root: 3 })).toMatchObject({ ok: false });
  expect(scene.home.names().filter((name) => name.includes('out'))).toEqual(['out', 'out.ckptd-7.1']);
  expect(scene.home.text('out.ckptd-7.1')).toBe(LATE);
  expect(scene.log.lines).toContainEqual(
    expect.objectContaining({
      level: 'warn',
      message: `${LATE.length} bytes that were appended to ${scene.home.at('out')} since the checkpoint are in ${scene.home.at('out.ckptd-7.1')}`,
      fields: expect.objectContaining({ job_id: 7, restarts: 1 }),
    }),
  );
  expect(JSON.parse(readFileSync(join(scene.work, 'run/runs/7.json'), 'utf8'))).toEqual({
    jobId: 7,
    restarts: 1,
    init: tree.init,
    initStart: expect.any(Number),
    root: 2,
  });
  expect(scene.staged).toEqual([]);
  expect(scene.store.asked).toEqual([]);
  await helpersLeft(0);
  await engine.ended(7);
  expect(existsSync(join(scene.work, 'run/runs/7.json'))).toBe(false);
});

whole('a job whose engine ended while it was restored is looked at and noted by the next one', async () => {
  using scene = new Scene();
  await scene.checkpoint();
  const engine = scene.engine();
  await scene.start(engine);
  scene.stepdOpens();
  await using tree = await restoredTree(scene.home);
  expect(await engine.go(7, tree.task)).toEqual(OK);
  expect(await engine.check(7)).toEqual(OK);
  const kept = scene.home.names();
  const next = scene.engine();
  // The answer was lost with the first one.
  expect(await next.check(7)).toEqual(OK);
  expect(scene.home.names()).toEqual(kept);
  expect(await next.restored(7, { init: tree.init, root: 2 })).toEqual(OK);
  expect(existsSync(join(scene.work, 'run/runs/7.json'))).toBe(true);
  expect([scene.staged, scene.home.text('out')]).toEqual([[], DUMPED]);
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
  await helpersLeft(0);
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

whole('a restored process without a limit that it had keeps its job from running', async () => {
  using scene = new Scene();
  scene.task = { rlimits: [[12_345, 12_345]], oomScoreAdj: 0 };
  await scene.checkpoint();
  const engine = scene.engine();
  await scene.start(engine);
  scene.stepdOpens();
  await using tree = await restoredTree(scene.home);
  expect(await engine.go(7, tree.task)).toEqual(OK);
  expect(await engine.check(7)).toEqual({
    ok: false,
    message: expect.stringMatching(
      /^process 3 \(python3\S*\) of the job had a limit of 12345 \(hard: 12345\) for its CPU time, /,
    ),
  });
  expect(await engine.restored(7, { init: tree.init, root: 3 })).toMatchObject({ ok: false });
  // What was appended since is there yet.
  expect(scene.home.text('out')).toBe(DUMPED + LATE);
});

whole('a restored process with another OOM score is told of, and its job runs', async () => {
  using scene = new Scene();
  scene.task = { rlimits: [], oomScoreAdj: -998 };
  await scene.checkpoint();
  const engine = scene.engine();
  await scene.start(engine);
  scene.stepdOpens();
  await using tree = await restoredTree(scene.home);
  expect(await engine.go(7, tree.task)).toEqual(OK);
  expect(await engine.check(7)).toEqual(OK);
  expect(scene.log.lines).toContainEqual(
    expect.objectContaining({
      level: 'warn',
      message: expect.stringMatching(/^process 3 .* OOM score adjustment -?\d+, and had -998$/),
      fields: expect.objectContaining({ job_id: 7, restarts: 1 }),
    }),
  );
});

const WHO = `uid ${OWNER.uid}, gid ${OWNER.gid}`;
test.each<[string, Creds, string]>([
  [
    'another uid',
    ordinary(0, OWNER.gid),
    `its processes are uid 0, gid ${OWNER.gid}, and the job is started for ${WHO}`,
  ],
  [
    'another gid',
    ordinary(OWNER.uid, 27),
    `its processes are uid ${OWNER.uid}, gid 27, and the job is started for ${WHO}`,
  ],
  [
    'a group that its owner has not here',
    ordinary(OWNER.uid, OWNER.gid, [OWNER.gid, 27]),
    `its processes have the group 27, which uid ${OWNER.uid} has not on this node`,
  ],
  [
    'an effective uid of its own',
    { ...ordinary(OWNER.uid, OWNER.gid), uids: [OWNER.uid, 0, OWNER.uid, OWNER.uid] },
    `a thread of the job (core-3.img) has another euid than its uid ${OWNER.uid}`,
  ],
])(
  'images of a process with %s are not restored, and nothing of the job is touched',
  async (_, creds, why) => {
    using scene = new Scene();
    scene.creds = creds;
    await scene.checkpoint();
    expect(await scene.start(scene.engine())).toBeNull();
    expect(scene.lost).toBe(`none of its checkpoints can be restored here: ${why}`);
    expect([scene.home.names(), scene.home.text('out'), scene.staged]).toEqual([
      ['data', 'out'],
      DUMPED + LATE,
      [],
    ]);
  },
);

asRoot('CRIU has as many open files as the job could have, and what its bounding set takes', async () => {
  using scene = new Scene();
  scene.task = { rlimits: [...Array<[number, number]>(7).fill([-1, -1]), [4321, 9876]], oomScoreAdj: 0 };
  scene.creds = { ...scene.creds, groups: [OWNER.gid], bounding: [0xffff, 0] };
  await scene.checkpoint();
  const plan = await scene.start(scene.engine());
  expect(plan?.argv.join(' ')).toMatch(
    new RegExp(
      ` --groups ${OWNER.gid} --capabilities checkpoint_restore,setpcap --images ${scene.work}/restore/7\\.1/images --root 40 --files 4321 --log `,
    ),
  );
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
  expect(await engine.go(7, process.ppid)).toMatchObject({ ok: false });
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
    await helpersLeft(0);
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

asRoot.each(['half way', 'behind it'])(
  'a task that asks for its files again, since the engine ended %s, has them as if it had asked once',
  async (where) => {
    using scene = new Scene();
    const scratch = scene.home.at('scratch');
    execFileSync('sh', [
      '-c',
      `mkdir ${scratch} && echo kept > ${scratch}/file && chown -R ${OWNER.uid} ${scratch}`,
    ]);
    execFileSync('tar', ['-cf', join(scene.work, 'local.tar'), '-C', '/', `.${scratch}`, `.${scratch}/file`]);
    const dir = await scene.checkpoint();
    const { storedBytes } = await storeFile(
      join(scene.work, 'local.tar'),
      join(dir, 'local.tar.zst'),
      'zstd',
    );
    const [found] = scene.store.found;
    const archive = { name: 'local.tar.zst', bytes: storedBytes };
    scene.store.found = [{ ...found!, manifest: { ...found!.manifest, archive } }];
    await scene.start(scene.engine());
    scene.stepdOpens();
    const first = scene.engine(where === 'behind it' ? {} : { asOwner: endsAfter(scene) });
    const answer = await first.go(7, process.pid);
    if (where === 'half way') expect(answer).toEqual({ ok: false, message: 'killed', later: true });
    rmSync(scratch, { recursive: true });
    const next = scene.engine();
    expect(await next.go(7, process.ppid)).toMatchObject({ ok: false });
    expect(await next.go(7, process.pid)).toEqual(OK);
    expect([scene.home.text('data'), scene.home.text('out')]).toEqual(['0123', DUMPED + LATE]);
    expect(scene.home.text('scratch/file')).toBe('kept\n');
    expect(await next.failed(7, 'after all')).toEqual(OK);
    expect([scene.home.text('out'), scene.staged]).toEqual([DUMPED + LATE, []]);
  },
);

/** The engine ends when the outputs are back in their places. */
function endsAfter(scene: Scene): AsOwner {
  return async (owner, operations) => {
    const real = asOwner(systemExec(), new Lanes(), PROGRAM);
    await real(
      owner,
      operations.filter(({ op }) => op === 'put-back'),
    );
    scene.stop();
    return { ok: false, message: 'killed' };
  };
}

asRoot('a plugin that asks again after the engine was killed gets the same again', async () => {
  using scene = new Scene();
  await scene.checkpoint();
  const [first, second] = [await scene.start(scene.engine()), await scene.start(scene.engine())];
  expect(second).toEqual(first);
  expect(scene.home.names()).toEqual(['.out.ckptd-7.1', 'data']);
});

test.each([
  ['the word of Slurm', (scene: Scene) => void scene.slurm.splice(0, 1, SILENT)],
  ['the old node', (scene: Scene) => void scene.silent.add('n1')],
])('an engine that is stopped while a start waits for %s decides nothing', async (_, wait) => {
  using scene = new Scene();
  await scene.checkpoint();
  wait(scene);
  const ask = { jobId: 7, uid: OWNER.uid, gid: OWNER.gid, restarts: 1 };
  const answer = scene.engine().start(ask);
  await scene.clock.whenSleeping();
  scene.stop();
  expect(await answer).toEqual({ type: 'later', why: 'the engine is being stopped' });
  expect(existsSync(join(scene.work, 'run/anew'))).toBe(false);
  expect([scene.store.asked, scene.said('error')]).toEqual([[], []]);
});

asRoot(
  'what ends with an engine that is stopped spoils no checkpoint, and the next engine uses it',
  async () => {
    using scene = new Scene();
    await scene.checkpoint();
    const broken: AsOwner = async () => {
      scene.stop();
      return { ok: false, message: 'killed' };
    };
    const ask = { jobId: 7, uid: OWNER.uid, gid: OWNER.gid, restarts: 1 };
    expect(await scene.engine({ asOwner: broken }).start(ask)).toMatchObject({ type: 'later' });
    expect(scene.store.asked).toEqual([]);
    expect(await scene.start(scene.engine(), 1)).toMatchObject({ actionId: id(1) });
    expect(scene.home.names()).toEqual(['.out.ckptd-7.1', 'data']);
  },
);

test('a look at Slurm that is broken off with the engine is not its silence', async () => {
  using scene = new Scene();
  await scene.checkpoint();
  const look = async () => {
    scene.stop();
    return SILENT;
  };
  scene.store.order = orderOf();
  const answer = await scene
    .engine({ look })
    .start({ jobId: 7, uid: OWNER.uid, gid: OWNER.gid, restarts: 1 });
  expect([answer?.type, scene.store.asked]).toEqual(['later', []]);
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
  truncateSync(join(dir, 'images/pages-1.img.zst'), 3);
  expect((await scene.start(scene.engine()))?.actionId).toBe(id(1));
  expect(scene.said('error')).toEqual([
    expect.stringMatching(
      `^job 7 cannot be restored from checkpoint ${id(2)}: its image pages-1.img.zst has 3 bytes and not \\d+$`,
    ),
  ]);
  expect(scene.store.asked).toEqual([
    expect.stringMatching(/^deprecate 2: its image pages-1.img.zst has 3 bytes/),
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
  expect(scene.lost).toBe(`none of its checkpoints can be restored here: ${why}`);
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
  expect(await scene.engine().start({ jobId: 7, uid: 5, gid: 5, restarts: null })).toMatchObject({
    type: 'anew',
  });
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

asRoot('an ordered run goes on without Slurm, by the order and the word of slurmstepd', async () => {
  using scene = new Scene();
  await scene.checkpoint(1);
  await scene.checkpoint(2);
  scene.store.order = orderOf();
  scene.slurm = [SILENT];
  expect((await scene.start(scene.engine(), 1))?.actionId).toBe(id(1));
  expect(scene.looks).toBe(1);
  expect(scene.said('warn')).toEqual([
    "job 7 is restored as it was ordered, without Slurm's word: timed out",
  ]);
  expect(scene.said('error')).toEqual([]);
  expect(scene.store.asked).toEqual([]);
});

/** Slurm is asked for a minute; what then becomes of the start. */
async function minute(scene: Scene, restarts: number | null): Promise<unknown> {
  scene.slurm = [SILENT];
  const plan = scene.start(scene.engine(), restarts);
  for (const seconds of [1, 2, 4, 8, 16]) {
    await scene.clock.whenSleeping();
    scene.clock.advance(seconds * 1_000);
  }
  return await plan;
}

test.each([
  ['nobody ordered it', null, 1],
  ['the order is for another run', orderOf({ restarts: 1 }), 2],
  ['the order is for another user', orderOf({ uid: 5 }), 1],
])('without Slurm, and %s: it begins anew, and nothing goes on from before', async (_, order, restarts) => {
  using scene = new Scene();
  await scene.checkpoint(1);
  await scene.checkpoint(2, { uid: 5 });
  scene.store.order = order;
  expect(await minute(scene, restarts)).toBeNull();
  expect(scene.said('error')).toEqual(['job 7 begins anew, although it has checkpoints: timed out']);
  expect(scene.lost).toBe('timed out');
  // The one of another user is not this job's.
  expect(scene.store.found.map(({ deprecated }) => deprecated)).toEqual([
    null,
    `job 7 began anew as restart ${restarts}: this does not fit its files any more`,
  ]);
});

test('an order is not enough without the word of slurmstepd', async () => {
  using scene = new Scene();
  await scene.checkpoint();
  scene.store.order = orderOf();
  expect(await minute(scene, null)).toBeNull();
  expect(scene.store.asked).toEqual([]);
});

test('a start that is ahead of Slurm begins anew, and touches no checkpoint', async () => {
  using scene = new Scene();
  await scene.checkpoint();
  scene.store.order = orderOf({ restarts: 2 });
  scene.slurm = [scene.job({ restarts: 1 })];
  expect(await scene.start(scene.engine(), 2)).toBeNull();
  expect(scene.store.asked).toEqual([]);
  expect(scene.said('error')).toEqual([
    'job 7 begins anew: slurmstepd starts its restart 2, and Slurm is at 1: this start is stale',
  ]);
});

test('a note of an earlier run, which no Prolog has written anew, counts less than Slurm', async () => {
  using scene = new Scene();
  await scene.checkpoint();
  scene.slurm = [scene.job({ restarts: 1 })];
  expect(await scene.start(scene.engine(), 0)).toMatchObject({ actionId: id(1) });
});

test('the note of a run that is over goes with it', async () => {
  using scene = new Scene();
  const notes = join(scene.work, 'run/starts');
  mkdirSync(notes, { recursive: true });
  for (const name of ['7', '8']) writeFileSync(join(notes, name), '0\n');
  await scene.engine().ended(7);
  expect(readdirSync(notes)).toEqual(['8']);
});

test('a job that Slurm does not know begins anew, ordered or not, and touches no checkpoint', async () => {
  using scene = new Scene();
  await scene.checkpoint();
  scene.store.order = orderOf();
  scene.slurm = [{ type: 'absent' }];
  expect(await scene.start(scene.engine(), 1)).toBeNull();
  expect(scene.store.asked).toEqual([]);
  expect(scene.said('error')).toEqual([
    'job 7 begins anew, although it has checkpoints: Slurm knows no such job',
  ]);
});

test('a store that cannot be looked at is an error, and the job begins anew', async () => {
  using scene = new Scene();
  scene.store.problem = '/shared/ckpt/7 belongs to uid 1000, not to 0: refused';
  expect(await scene.start(scene.engine())).toBeNull();
  expect(scene.said('error')).toEqual([`job 7 begins anew: ${scene.store.problem}`]);
  expect(scene.lost).toBe(scene.store.problem);
});

asRoot('what an earlier run had put aside comes back, too, where the store cannot be looked at', async () => {
  using scene = new Scene();
  await scene.checkpoint();
  const engine = scene.engine();
  await scene.start(engine);
  expect(scene.home.names()).toEqual(['.out.ckptd-7.1', 'data']);
  scene.store.problem = 'the store is away';
  expect(await scene.start(engine, 2)).toBeNull();
  expect(scene.home.names()).toEqual(['data', 'out']);
  expect([scene.home.text('out'), scene.staged]).toEqual([DUMPED + LATE, []]);
});

asRoot('a store that hangs for a while delays a start and a task, and costs no work', async () => {
  using scene = new Scene();
  await scene.checkpoint();
  const engine = scene.engine();
  scene.store.hangs = true;
  const plan = scene.start(engine, 1);
  await scene.clock.run(MOST_HANGING_MS - 10_000);
  scene.store.hangs = false;
  await scene.clock.run(2_000);
  expect((await plan)?.actionId).toBe(id(1));
  scene.stepdOpens();
  scene.store.hangs = true;
  const gone = engine.go(7, process.pid);
  // Besides the one who waits for the task.
  await scene.clock.whenSleeping(2);
  scene.store.hangs = false;
  scene.clock.advance(2_000);
  expect(await gone).toEqual(OK);
  expect(scene.said('error')).toEqual([]);
});

asRoot('a store that hangs while a restored tree stands still keeps nobody from looking at it', async () => {
  using scene = new Scene();
  await scene.checkpoint();
  const engine = scene.engine();
  await scene.start(engine);
  scene.stepdOpens();
  expect(await engine.go(7, process.pid)).toEqual(OK);
  scene.store.hangs = true;
  const verdict = await engine.check(7);
  expect(verdict.ok || verdict.message).not.toContain('hangs');
});

test('a store that hangs on is an error, and the job begins anew', async () => {
  using scene = new Scene();
  await scene.checkpoint();
  scene.store.hangs = true;
  const plan = scene.start(scene.engine(), 1);
  await scene.clock.run(MOST_HANGING_MS - 1);
  scene.clock.advance(1);
  expect(await plan).toBeNull();
  expect([scene.lost, scene.marks]).toEqual(['the file system of /shared hangs', [`7.1.${OWNER.uid}`]]);
});

test('what such a run overwrites is not gone on from by the next', async () => {
  using scene = new Scene();
  await scene.checkpoint();
  scene.store.problem = 'the store is away';
  const engine = scene.engine();
  expect(await scene.start(engine, 1)).toBeNull();
  scene.store.problem = null;
  scene.slurm = [scene.job({ restarts: 2 })];
  expect(await scene.start(engine, 2)).toBeNull();
  expect(scene.store.found.map(({ deprecated }) => deprecated)).toEqual([expect.stringMatching(ANEW)]);
  expect(scene.marks).toEqual([]);
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
  // Where its policy says so, nothing is lost that was to be kept.
  expect(scene.lost).toBeNull();
  const warned = scene.said('warn');
  expect(warned).toEqual(text?.includes('perhaps') ? ['its policies cannot be read: every job resumes'] : []);
});
