import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type LabNode, until } from '../lab/lab.ts';
import { EngineLab, STORE } from './engine-lab.ts';

const GATE = '/usr/local/lib/gate';
const HOLES = '/run/gate';

let cluster: EngineLab;
let n1: LabNode;
let n2: LabNode;

beforeAll(async () => {
  const content = await readFile(join(import.meta.dirname, 'fixtures/gate.py'), 'utf8');
  const names = ['scontrol', 'squeue', 'sinfo', 'criu', 'script', 'proxy'];
  cluster = await EngineLab.start({
    engine: { slurm: { bin: GATE }, criu: `${GATE}/criu` },
    files: {
      ...Object.fromEntries(names.map((name) => [`${GATE}/${name}`, { content, mode: 0o755 }])),
      '/etc/tmpfiles.d/gate.conf': `d ${HOLES} 0700 root root\n`,
      '/etc/slurm/plugstack.conf': `optional /usr/lib/ckptd/ckptd_spank.so socket=${HOLES}/api.sock hooks=/usr/lib/ckptd/hooks\n`,
    },
  });
  n1 = cluster.lab.node('n1');
  n2 = cluster.lab.node('n2');
  for (const node of [n1, n2]) await node.run(`systemd-run --quiet --unit=gate ${GATE}/proxy`);
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

const close = (node: LabNode, point: string) => node.run(`mkfifo -m 600 ${HOLES}/${point}`);
const open = (node: LabNode, point: string) => node.run(`: >${HOLES}/${point}; rm -f ${HOLES}/${point}.at`);

/** Waits until something stands at the gate; its pid. */
const arrived = (node: LabNode, point: string) =>
  until(async () => (await node.run(['cat', `${HOLES}/${point}.at`])).stdout, {
    what: `somebody at ${point} on ${node.name}`,
    timeoutMs: 40_000,
    details: () => cluster.told(),
  });

const mainPid = async (node: LabNode) =>
  (await node.run('systemctl show --value --property=MainPID ckptd-engine')).stdout.trim();
/** Returns when it is dead: whoever asks a dying one is not answered, which is another story. */
async function kill(node: LabNode): Promise<void> {
  const pid = await mainPid(node);
  await node.run('systemctl kill --kill-whom=main --signal=KILL ckptd-engine');
  await until(async () => (await mainPid(node)) !== pid, { what: 'the engine to be dead', everyMs: 10 });
}

/** Kills the engine, and waits until systemd has started the next. */
async function killed(node: LabNode): Promise<void> {
  const before = await mainPid(node);
  await kill(node);
  await back(node, before);
}

const back = (node: LabNode, before: string) =>
  until(
    async () => {
      const { stdout } = await node.run(['systemctl', 'is-active', 'ckptd-engine'], { reject: false });
      return stdout === 'active\n' && !['0', before].includes(await mainPid(node));
    },
    { what: 'systemd to start the engine again', timeoutMs: 30_000, details: () => cluster.told() },
  );

/** One copy of the job and of its files, nothing that stands still, and a node that takes jobs. */
async function inOrder(id: number): Promise<void> {
  const { lab } = cluster;
  const living = async () => {
    const found = lab.nodes.map((node) =>
      node.run(`cat /sys/fs/cgroup/freezer/slurm*/uid_*/job_${id}/step_batch/freezer.state`, {
        reject: false,
      }),
    );
    return (await Promise.all(found)).map(({ stdout }) => stdout).join('');
  };
  await until(async () => (await living()) === 'THAWED\n', {
    what: `one copy of job ${id}, thawed`,
    timeoutMs: 30_000,
    details: living,
  });
  const left = async () => {
    const folders = '/var/lib/ckptd-engine/dump /var/lib/ckptd-engine/restore /run/ckptd-engine/frozen';
    const found = lab.nodes.map((node) =>
      node.run(`find ${folders} -mindepth 1 2>/dev/null; find ${STORE} -name '.new-*'`, { reject: false }),
    );
    return (await Promise.all(found)).map(({ stdout }) => stdout).join('');
  };
  await until(async () => (await left()) === '', {
    what: 'nothing to be left of dumps, restores and marks',
    timeoutMs: 30_000,
    details: async () => `${(await left()).slice(0, 500)}\n${await cluster.told()}`,
  });
  await cluster.counts(id);
}

/** Its last word: every number once, begun once. */
async function ended(id: number, restarts: number): Promise<void> {
  const job = await cluster.finish(id, 'FAILED');
  expect(job).toMatchObject({ ExitCode: '6:0', Restarts: `${restarts}` });
  const output = await cluster.counted(id);
  expect(output).toEqual({ starts: ['n1'], count: output.count, last: output.count, problems: [] });
  for (const { name } of cluster.lab.nodes)
    expect((await cluster.lab.nodeState(name)).filter((flag) => flag === 'DOWN' || flag === 'FAIL')).toEqual(
      [],
    );
}

afterEach(async () => {
  // What a test that failed left closed.
  for (const node of [n1, n2])
    await node.run(
      `for hole in $(find ${HOLES} -type p); do timeout 1 sh -c ": >$hole"; rm -f "$hole" "$hole.at"; done`,
      { reject: false },
    );
  await cluster.clear();
  // The next job begins on the first.
  for (const { name } of cluster.lab.nodes) await cluster.lab.waitForNode(name, 'IDLE');
});

test('an engine killed in the middle of a heartbeat’s dump: the job runs on', async () => {
  const id = await cluster.running('processes.py');
  await close(n1, 'dump');
  const before = await cluster.ready(n1, id);
  await arrived(n1, 'dump');
  await killed(n1);
  await open(n1, 'dump');
  await inOrder(id);
  await cluster.newCheckpoint(n1, id, before);
  await ended(id, 0);
});

describe('a job whose node drains moves once, exactly, where the engine is killed', () => {
  const drained = async (point: string) => {
    const id = await cluster.running('processes.py');
    await close(n1, point);
    await cluster.lab.drain('n1', 'broken fan');
    return { id, pid: await arrived(n1, point) };
  };

  test('in the middle of its final dump', async () => {
    const { id } = await drained('final-dump');
    await killed(n1);
    await open(n1, 'final-dump');
    await cluster.moved(id, 'n1', 1, 90_000);
    await inOrder(id);
    await ended(id, 1);
  });

  test('before Slurm is asked to requeue it', async () => {
    const { id, pid } = await drained('requeue');
    await kill(n1);
    // What was to ask Slurm dies with it.
    await n1.run(`kill -9 ${pid}; rm ${HOLES}/requeue ${HOLES}/requeue.at`);
    await cluster.moved(id, 'n1', 1, 90_000);
    await inOrder(id);
    await ended(id, 1);
  });

  test('right after Slurm was asked to requeue it', async () => {
    const { id } = await drained('requeued');
    await killed(n1);
    await open(n1, 'requeued');
    await cluster.moved(id, 'n1', 1, 90_000);
    await inOrder(id);
    await ended(id, 1);
  });

  test('and Slurm is asked to requeue it when the next engine has let it run on', async () => {
    const { id } = await drained('requeue');
    await close(n1, 'final-dump');
    await killed(n1);
    // The next engine is about to move it, too; how far it counts in between is chance.
    await arrived(n1, 'final-dump');
    expect(await n1.journal('ckptd-engine')).toContain(
      'an engine before this one left the job stopped: it runs on',
    );
    await open(n1, 'requeue');
    await cluster.lab.waitForJob(id, ['PENDING', 'COMPLETING']);
    await open(n1, 'final-dump');
    await cluster.moved(id, 'n1', 1, 90_000);
    await inOrder(id);
    await ended(id, 1);
  });
});

describe('a job comes back, exactly, where the engine of its next node is killed', () => {
  test.each([
    ['between its plan and its files', 'start-answer'],
    ['between the look at what CRIU opened and the report that it runs', 'check-answer'],
  ])('%s', async (_, point) => {
    const id = await cluster.running('processes.py');
    await close(n2, point);
    await cluster.lab.drain('n1', 'broken fan');
    await arrived(n2, point);
    const before = await mainPid(n2);
    await kill(n2);
    // It is asked on while there is no engine.
    await open(n2, point);
    await back(n2, before);
    await cluster.moved(id, 'n1', 1, 90_000);
    await inOrder(id);
    await cluster.lab.resume('n1');
    // What is known of a restored job is known: it can be saved, and moves on.
    await cluster.checkpoint(n2, id);
    await cluster.moveAway(n2, [id]);
    await inOrder(id);
    await ended(id, 2);
  });
});
