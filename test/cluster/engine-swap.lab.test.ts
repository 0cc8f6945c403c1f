import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type LabNode, until } from '../lab/lab.ts';
import { EngineLab } from './engine-lab.ts';

const SWAPPER = '/usr/local/lib/swap.py';
const CANARIES = '/shared/of-root';
/** What a restore of such a job may end as instead of a move. */
const SAID = /begins anew|runs on|in danger/;

let cluster: EngineLab;
let n1: LabNode;

beforeAll(async () => {
  const content = await readFile(join(import.meta.dirname, 'fixtures/swap.py'), 'utf8');
  cluster = await EngineLab.start({
    files: {
      [SWAPPER]: { content, mode: 0o755 },
      // Who makes a FIFO of the own output waits for it.
      '/etc/slurm/plugstack.conf':
        'optional /usr/lib/ckptd/ckptd_spank.so socket=/run/ckptd-engine/api.sock hooks=/usr/lib/ckptd/hooks wait=20\n',
    },
  });
  n1 = cluster.lab.node('n1');
  await n1.run(`mkdir -m 755 ${CANARIES} ${CANARIES}/folder; cd ${CANARIES}
    head -c 100000 /dev/zero | tr '\\0' x >secret; chmod 600 secret
    head -c 100000 /dev/zero | tr '\\0' y >public; chmod 644 public
    head -c 100000 /dev/zero | tr '\\0' z >folder/file; chmod 600 folder/file; touch -d 2020-01-01 secret public folder/file folder`);
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

const canaries = async () =>
  (
    await n1.run(`cd ${CANARIES}; stat -c '%n %s %a %u %g %h %Y %Z' . secret public folder folder/file
    cksum secret public folder/file`)
  ).stdout;

/** Counts into its output and a file, from a folder of its own. */
const SCRIPT = `#!/bin/bash
mkdir "/shared/home-$SLURM_JOB_ID"; cd "/shared/home-$SLURM_JOB_ID"
exec /shared/jobs/count.sh
`;
const STAND_INS: readonly (readonly [what: string, swap: string])[] = [
  ['a link to a file of root that its user may not read', `link:${CANARIES}/secret`],
  ['a link to a file of root that everybody may read', `link:${CANARIES}/public`],
  ['a link to a folder of root', `link:${CANARIES}/folder`],
  ['another name of another file of theirs', 'hard:/shared/other'],
  ['a FIFO', 'fifo'],
  ['a folder', 'folder'],
];

/** All the time, and seldom enough for most moves to work out. */
const SWAPS = ['0.005', '0.3'].flatMap((pause) => STAND_INS.map(([what, swap]) => ({ pause, what, swap })));

test('names that are swapped all the time: each job moves exactly or says why not, and nobody’s files suffer', async () => {
  const { lab } = cluster;
  const before = await canaries();
  await n1.run('echo mine >other', { user: 'alice', cwd: '/shared' });
  const ids: number[] = [];
  for (const _ of SWAPS) ids.push(await cluster.submit(SCRIPT));
  for (const id of ids) expect((await cluster.counting(id)).name).toBe('n1');
  for (const [at, { swap, pause }] of SWAPS.entries()) {
    const names = ['out', 'own', 'home'].map((name) => `/shared/${name}-${ids[at]}`);
    const unit = ['systemd-run', '--quiet', '--uid=alice', `--unit=swap-${ids[at]}`];
    await lab.ctl.run([...unit, SWAPPER, pause, swap, ...names]);
  }
  const engines = async () =>
    (await Promise.all(lab.nodes.map((node) => cluster.log(node, 'ckptd-engine')))).join('\n').split('\n');
  const told = (lines: readonly string[], id: number) =>
    lines.filter((line) => new RegExp(`"job_id":${id}\\b`).test(line));
  // Heartbeats are taken of them, or are refused.
  await until(
    async () => {
      const lines = await engines();
      return ids.every((id) => told(lines, id).filter((line) => /is ready|no new/.test(line)).length >= 2);
    },
    { what: 'two heartbeats of each', timeoutMs: 60_000, details: () => cluster.told() },
  );

  await lab.drain('n1', 'broken fan');
  const verdictOf = async (id: number): Promise<'moved' | 'said' | null> => {
    const lines = told(await engines(), id);
    if (lines.some((line) => line.includes(`job ${id} goes on from checkpoint`))) return 'moved';
    const ckptd = (await cluster.log(n1, 'ckptd')).split('\n');
    return [...lines, ...told(ckptd, id)].some((line) => SAID.test(line)) ? 'said' : null;
  };
  const verdicts = new Map<number, string>();
  for (const id of ids)
    verdicts.set(
      id,
      await until(() => verdictOf(id), {
        what: `job ${id} to move, or a word why not`,
        timeoutMs: 90_000,
        everyMs: 500,
        details: () => cluster.told(),
      }),
    );
  for (const id of ids) await lab.ctl.run(`systemctl stop swap-${id}`);
  // With the tail of the reasons, for whoever reads a failure.
  const lines = [...(await engines()), ...(await cluster.log(n1, 'ckptd')).split('\n')];
  const report = SWAPS.map(({ pause, what }, at) => {
    const why = told(lines, ids[at]!).filter((line) => SAID.test(line));
    return `${what}, every ${pause} s: ${verdicts.get(ids[at]!)} ${why.join(' ').slice(-600)}`;
  }).join('\n');

  for (const [id, verdict] of verdicts) {
    if (verdict !== 'moved') continue;
    const job = await cluster.finish(id);
    expect(job).toMatchObject({ ExitCode: '0:0', Restarts: '1' });
    const output = await cluster.counted(id);
    expect(output).toEqual({ starts: ['n1'], count: output.count, last: output.count, problems: [] });
  }
  expect([...verdicts.values()], report).toContain('moved');
  expect(await canaries(), report).toBe(before);
  for (const { name } of lab.nodes) expect((await lab.nodeState(name)).includes('DOWN')).toBe(false);
  await cluster.clear();
}, 400_000);
