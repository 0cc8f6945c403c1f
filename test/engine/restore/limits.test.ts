import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readProcess } from '../../../daemon/engine/proc/process.ts';
import { restoredLimits } from '../../../daemon/engine/restore/limits.ts';
import { type Creds, coreImage, filesImage, ordinary } from '../criu/images/made-images.ts';
import { Folder, isRoot, OWNER } from '../owner/program/support.ts';
import {
  hasPython,
  type Restored,
  type RestoredTree,
  type Restoring,
  ROOT,
  restoredTree,
} from './restored-tree.ts';

const scene = test.runIf(isRoot && hasPython);
const OWN = ordinary(OWNER.uid, OWNER.gid);
const NOFILE = 7;

/** The images of processes that were as these are now, but for what `was` says of each. */
function images(
  folder: Folder,
  processes: readonly Restored[],
  was: (process: Restored) => Partial<Restored> = () => ({}),
  creds: Creds = OWN,
): string {
  for (const process of processes)
    writeFileSync(folder.at(`core-${process.pid}.img`), coreImage(creds, { ...process, ...was(process) }));
  return folder.path;
}

const withFiles = (process: Restored, soft: number, hard: number): Partial<Restored> => ({
  rlimits: process.rlimits.with(NOFILE, [soft, hard]),
});

async function check({ task }: RestoredTree, folder: string) {
  const { startTime } = (await readProcess('/proc', task))!;
  return restoredLimits('/proc', { pid: task, startTime }, folder);
}

const LIMITED = `limit(0, resource.RLIM_INFINITY, resource.RLIM_INFINITY) if resource.getrlimit(0)[1] == -1 else None
limit(${NOFILE}, 100, 200)
child(lambda: limit(${NOFILE}, 50, 60))
threading.Thread(target=lambda: child(lambda: limit(4, 0, 0)), daemon=True).start()
while len(others) < 2: pass`;

scene.each<Restoring['below'] & string>(['CRIU', 'init'])(
  'processes below %s that have their limits back may run',
  async (below) => {
    using folder = new Folder();
    await using tree = await restoredTree(folder, { root: LIMITED, below });
    expect(tree.restored.map(({ rlimits }) => rlimits[NOFILE]).slice(0, 2)).toEqual([
      [100, 200],
      [50, 60],
    ]);
    expect(tree.restored[0]?.pid).toBe(ROOT);
    expect(await check(tree, images(folder, tree.restored))).toEqual({ ok: true, notes: [] });
  },
);

scene.each([
  ['the root', 0, 'hard limit', [100, 4096], [100, 200]],
  ['the root', 0, 'soft limit', [200, 200], [100, 200]],
  ['the root', 0, 'limit, which was none,', [-1, -1], [100, 200]],
  ['a child', 1, 'hard limit', [50, 61], [50, 60]],
  ['the child of a thread', 2, 'hard limit', [100, 201], [100, 200]],
] as const)('%s (%i) whose %s is another one now: the job does not run', async (_, at, __, had, has) => {
  using folder = new Folder();
  await using tree = await restoredTree(folder, { root: LIMITED });
  const other = tree.restored[at]!;
  const path = images(folder, tree.restored, (process) =>
    process === other ? withFiles(process, had[0], had[1]) : {},
  );
  const said = ([soft, hard]: readonly [number, number]) =>
    `${soft === -1 ? 'unlimited' : soft} (hard: ${hard === -1 ? 'unlimited' : hard})`;
  expect(await check(tree, path)).toEqual({
    ok: false,
    message: expect.stringMatching(
      new RegExp(
        `^process ${other.pid} \\(python3[.\\d]*\\) of the job had a limit of ${RegExp.escape(said(had))} for its open files, and this node gives it ${RegExp.escape(said(has))}$`,
      ),
    ),
  });
});

scene('each limit has its name', async () => {
  using folder = new Folder();
  await using tree = await restoredTree(folder);
  const [root] = tree.restored;
  const names: unknown[] = [];
  for (const number of root!.rlimits.keys()) {
    const rlimits = root!.rlimits.with(number, [12_345, 12_345]);
    const verdict = await check(
      tree,
      images(folder, tree.restored, () => ({ rlimits })),
    );
    names.push(verdict.ok || / for its (.*), and /.exec(verdict.message)?.[1]);
  }
  expect(names).toEqual([
    ...['CPU time', 'file size', 'data size', 'stack size', 'core file size', 'resident set', 'processes'],
    ...['open files', 'locked memory', 'address space', 'file locks', 'pending signals', 'message queues'],
    ...['nice priority', 'realtime priority', 'realtime time-out'],
  ]);
});

scene('an OOM score that could not be given back is told, and keeps nobody from running', async () => {
  using folder = new Folder();
  await using tree = await restoredTree(folder, { root: 'child()' });
  const [root, child] = tree.restored;
  const path = images(folder, tree.restored, (process) => (process === child ? { oomScoreAdj: -900 } : {}));
  expect(await check(tree, path)).toEqual({
    ok: true,
    notes: [
      expect.stringMatching(
        new RegExp(
          `^process ${child!.pid} \\(python3[.\\d]*\\) of the job has the OOM score adjustment ${root!.oomScoreAdj}, and had -900$`,
        ),
      ),
    ],
  });
});

scene('a priority that could not be given back is told, and keeps nobody from running', async () => {
  using folder = new Folder();
  await using tree = await restoredTree(folder, {});
  const [root] = tree.restored;
  const had = { ...root!, priority: { nice: -10, policy: 2 } };
  writeFileSync(folder.at(`core-${root!.pid}.img`), coreImage(OWN, had));
  expect(await check(tree, folder.path)).toEqual({
    ok: true,
    notes: [expect.stringMatching(/ of the job runs at nice \d+, policy 0, and ran at nice -10, policy 2$/)],
  });
});

scene('socket buffers that are larger than this node gives are told, with what to raise', async () => {
  using folder = new Folder();
  await using tree = await restoredTree(folder, {});
  const path = images(folder, tree.restored);
  const most = Number(readFileSync('/proc/sys/net/core/wmem_max', 'latin1'));
  const socket = (send: number) => ({ name: '/s', buffers: { send, receive: 2 * 1024 } });
  writeFileSync(folder.at('files.img'), filesImage({ sockets: [socket(2 * most)] }));
  expect(await check(tree, path)).toEqual({ ok: true, notes: [] });
  writeFileSync(folder.at('files.img'), filesImage({ sockets: [socket(1024), socket(2 * most + 2)] }));
  expect(await check(tree, path)).toEqual({
    ok: true,
    notes: [
      `a socket of the job had a buffer of ${most + 1} bytes, and gets ${most}: net.core.wmem_max is smaller on this node`,
    ],
  });
});

scene('CRIU itself, and whatever else the images do not name, may have any limits', async () => {
  using folder = new Folder();
  await using tree = await restoredTree(folder, { root: LIMITED });
  const path = images(folder, tree.restored.slice(0, 1));
  // Of a process that ended since, or is not restored yet: CRIU sees to that.
  writeFileSync(folder.at('core-999.img'), coreImage(OWN, { rlimits: [[1, 1]] }));
  expect(await check(tree, path)).toEqual({ ok: true, notes: [] });
});

const CHOWN_AND_KILL = 0b100001;

scene('inheritable capabilities that the task has not are given to nobody', async () => {
  using folder = new Folder();
  const own = ['setpriv', '--inh-caps', '-all,+chown'];
  await using tree = await restoredTree(folder, { begins: own });
  const path = (inheritable: number) =>
    images(folder, tree.restored, () => ({}), { ...OWN, inheritable: [inheritable, 0] });
  expect(await check(tree, path(1))).toEqual({ ok: true, notes: [] });
  expect(await check(tree, path(CHOWN_AND_KILL))).toEqual({
    ok: false,
    message: 'its images have inheritable capabilities that no job has here',
  });
});

scene('images that cannot be read let nothing run', async () => {
  using folder = new Folder();
  await using tree = await restoredTree(folder);
  images(folder, tree.restored);
  writeFileSync(folder.at('core-1.img'), 'spoilt');
  expect(await check(tree, folder.path)).toEqual({
    ok: false,
    message: 'its image core-1.img is none of CRIU',
  });
});

test('a task that is gone, or that never made a namespace, is refused', async () => {
  using folder = new Folder(isRoot ? OWNER : { uid: process.getuid!(), gid: process.getgid!(), groups: [] });
  writeFileSync(folder.at('core-1.img'), coreImage(OWN));
  expect(await restoredLimits('/proc', { pid: process.pid, startTime: 1 }, folder.path)).toEqual({
    ok: false,
    message: 'the batch task is gone',
  });
  const { startTime } = (await readProcess('/proc', process.pid))!;
  expect(await restoredLimits('/proc', { pid: process.pid, startTime }, folder.path)).toEqual({
    ok: false,
    message: 'the batch task has no namespace of its own',
  });
});
