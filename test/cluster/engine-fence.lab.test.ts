import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { type LabNode, until } from '../lab/lab.ts';
import { EngineLab, STORE } from './engine-lab.ts';

// Slurm takes half a minute to give a node up, and a job is moved twice.
vi.setConfig({ testTimeout: 300_000 });

let cluster: EngineLab;
let n1: LabNode;
let n2: LabNode;

beforeAll(async () => {
  cluster = await EngineLab.start();
  n1 = cluster.lab.node('n1');
  n2 = cluster.lab.node('n2');
});
afterAll(() => cluster?.[Symbol.asyncDispose]());
afterEach(() => cluster.clear());

/** A job that counts on n1, with a heartbeat checkpoint and numbers beyond it. */
async function counting(): Promise<number> {
  await cluster.lab.waitForNode('n1', 'IDLE', { timeoutMs: 60_000 });
  const id = await cluster.running('processes.py');
  expect((await cluster.lab.job(id))['BatchHost']).toBe('n1');
  await cluster.newCheckpoint(n1, id);
  await cluster.counts(id, 5);
  return id;
}

/** Every process of the job's on n1, its slurmstepd too. */
async function processes(id: number): Promise<string[]> {
  const find = `find /sys/fs/cgroup -path '*/job_${id}/*' -name cgroup.procs -o -path '*/job_${id}/cgroup.procs'`;
  const { stdout } = await n1.run(`cat $(${find}) /dev/null 2>/dev/null | sort -un`, { reject: false });
  return stdout.split('\n').filter(Boolean);
}

/** When the engine of a node first said so since then, in seconds. */
async function saidAt(node: LabNode, words: RegExp, since = 0): Promise<number | null> {
  const { stdout } = await node.run('journalctl --no-pager --quiet -o short-unix -u ckptd-engine');
  const lines = stdout.split('\n').filter((each) => words.test(each));
  return lines.map((line) => Number(line.split(' ')[0])).find((at) => at > since) ?? null;
}

const saying = (node: LabNode, words: RegExp, since = 0) =>
  until(() => saidAt(node, words, since), {
    what: `${node.name} to say ${words}`,
    timeoutMs: 60_000,
    details: () => cluster.told(),
  });

const ended = (id: number) => new RegExp(`job ${id} runs anew: its old run on this node was ended`);
const frozen = (id: number) => new RegExp(`job ${id} stands frozen`);

/** The old run was ended before the new one began, and nothing of the output is missing or there twice. */
async function onlyOneCopy(id: number, old: readonly string[]): Promise<void> {
  const gone = await saying(n1, ended(id));
  expect(old).not.toEqual([]);
  expect(await processes(id)).toEqual([]);
  await cluster.moved(id, 'n1', 1, 90_000);
  expect(await saidAt(n2, new RegExp(`job ${id} goes on from checkpoint`))).toBeGreaterThan(gone);
  expect(await cluster.counted(id)).toMatchObject({ starts: ['n1'], problems: [] });
}

/** Slurm uses n1 again, and the job goes back there: whatever the fence left is in nobody's way. */
async function backOnN1(id: number): Promise<void> {
  await cluster.lab.waitForNode('n1', 'IDLE', { timeoutMs: 60_000 });
  await cluster.newCheckpoint(n2, id, await cluster.ready(n2, id));
  await cluster.lab.drain('n2', 'broken fan');
  await cluster.moved(id, 'n2', 2);
  await cluster.lab.resume('n2');
  expect((await cluster.lab.job(id))['BatchHost']).toBe('n1');
  await cluster.finish(id, 'FAILED');
  const output = await cluster.counted(id);
  expect(output).toEqual({ starts: ['n1'], count: output.count, last: output.count, problems: [] });
}

test('slurmd dies and its job lives on: it is ended here before it runs elsewhere', async () => {
  const id = await counting();
  const old = await processes(id);
  await n1.run('systemctl kill --kill-whom=main --signal=KILL slurmd');
  try {
    await onlyOneCopy(id, old);
    // The old slurmstepd has not told slurmctld that the job was killed.
    const told = await cluster.lab.ctl.journal('slurmctld');
    expect(told.split('\n').filter((line) => new RegExp(`_job_complete: JobId=${id}\\b`).test(line))).toEqual(
      [],
    );
  } finally {
    await n1.run('systemctl reset-failed slurmd; systemctl start slurmd');
  }
  await backOnN1(id);
});

test('a node that is cut off from Slurm, and not from the store, ends its job once it runs elsewhere', async () => {
  const id = await counting();
  const old = await processes(id);
  await n1.cutOff();
  try {
    await onlyOneCopy(id, old);
  } finally {
    await n1.reconnect();
  }
  await backOnN1(id);
});

test('the same for a job that has no checkpoint: its new run begins once the old one has ended', async () => {
  await cluster.lab.waitForNode('n1', 'IDLE', { timeoutMs: 60_000 });
  const id = await cluster.running('count.sh', { options: ['--no-ckpt'] });
  await cluster.counts(id, 5);
  const old = await processes(id);
  await n1.cutOff();
  try {
    const gone = await saying(n1, ended(id));
    expect(old).not.toEqual([]);
    expect(await processes(id)).toEqual([]);
    const { BatchHost } = await cluster.lab.waitForJob(id, 'RUNNING', { timeoutMs: 90_000 });
    expect(BatchHost).toBe('n2');
    // Slurm empties the output for the new run.
    await until(async () => (await cluster.output(id)).startsWith('start on n2'), {
      what: 'the new run',
      timeoutMs: 60_000,
    });
    expect(await saidAt(n2, new RegExp(`job ${id} ran on n1, which does not respond`))).toBeLessThan(gone);
    await cluster.counts(id, 20);
  } finally {
    await n1.reconnect();
  }
  await cluster.finish(id);
  expect(await cluster.counted(id)).toMatchObject({ starts: ['n2'], problems: [] });
  await cluster.lab.waitForNode('n1', 'IDLE', { timeoutMs: 60_000 });
});

/** The store is not there on n1, as where it was not mounted. */
const hideStore = () => n1.run(`mkdir -p /run/nothing && mount --bind /run/nothing ${STORE}`);
const showStore = () => n1.run(`umount ${STORE}`);

test('a node that is cut off from all freezes its job, which goes on where Slurm has not given it away', async () => {
  const id = await counting();
  await hideStore();
  await n1.cutOff();
  try {
    await saying(n1, frozen(id));
    const { count } = await cluster.counted(id);
    expect(await processes(id)).not.toEqual([]);
    expect((await cluster.counted(id)).count).toBe(count);
  } finally {
    await n1.reconnect();
    await showStore();
  }
  await saying(n1, new RegExp(`job ${id} was frozen, and runs on`));
  await cluster.counts(id, 100, 60_000);
  expect(await cluster.lab.job(id)).toMatchObject({ JobState: 'RUNNING', Restarts: '0', BatchHost: 'n1' });
  await cluster.finish(id, 'FAILED');
  expect(await cluster.counted(id)).toMatchObject({ starts: ['n1'], problems: [] });
});

test('a node that is cut off from all freezes its job, which is ended where Slurm has given it away', async () => {
  const id = await counting();
  await hideStore();
  await n1.cutOff();
  try {
    await saying(n1, frozen(id));
    await cluster.moved(id, 'n1', 1, 90_000);
    expect(await processes(id)).not.toEqual([]);
    expect(await saidAt(n2, new RegExp(`job ${id} goes on from`))).toBeGreaterThan(
      (await saidAt(n1, frozen(id)))!,
    );
  } finally {
    await n1.reconnect();
    await showStore();
  }
  await until(async () => (await processes(id)).length === 0, {
    what: 'the old run to be ended',
    timeoutMs: 30_000,
    details: () => cluster.told(),
  });
  expect(await saidAt(n1, new RegExp(`job ${id} was frozen, and runs on`))).toBeNull();
  expect(await cluster.counted(id)).toMatchObject({ starts: ['n1'], problems: [] });
  await backOnN1(id);
});

test('while slurmctld is down nothing is frozen or ended', async () => {
  const id = await counting();
  const since = Date.now() / 1000;
  await cluster.lab.ctl.run('systemctl stop slurmctld');
  try {
    await saying(n1, /Slurm may take this node for dead/, since);
    // Three times SlurmdTimeout, at some ten numbers a second.
    await cluster.counts(id, 200, 90_000);
  } finally {
    await cluster.lab.ctl.run('systemctl start slurmctld');
  }
  await cluster.lab.waitForJob(id, 'RUNNING');
  // ckptd, too, has found it again.
  await cluster.newCheckpoint(n1, id, await cluster.ready(n1, id), 60_000);
  await saying(n1, /Slurm does not take this node for dead any more/, since);
  expect(await saidAt(n1, frozen(id))).toBeNull();
  await cluster.finish(id, 'FAILED');
  expect(await cluster.counted(id)).toMatchObject({ starts: ['n1'], problems: [] });
  expect(await cluster.lab.job(id)).toMatchObject({ Restarts: '0' });
});

test('a restart of slurmd, and one of slurmctld, does nothing to the job', async () => {
  const id = await counting();
  await n1.run('systemctl restart slurmd');
  await cluster.counts(id, 20);
  await cluster.lab.ctl.run('systemctl restart slurmctld');
  await cluster.lab.waitForJob(id, 'RUNNING');
  await cluster.counts(id, 100, 60_000);
  expect([await saidAt(n1, frozen(id)), await saidAt(n1, ended(id))]).toEqual([null, null]);
  await cluster.finish(id, 'FAILED');
  expect(await cluster.counted(id)).toMatchObject({ starts: ['n1'], problems: [] });
  expect(await cluster.lab.job(id)).toMatchObject({ Restarts: '0' });
});
