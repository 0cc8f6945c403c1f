import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type LabNode, until } from '../lab/lab.ts';
import { CLUSTER_ID } from './ckptd-lab.ts';
import { EngineLab } from './engine-lab.ts';

const run = promisify(execFile);
const resources = new AsyncDisposableStack();
let point: string;
let cluster: EngineLab;
let node: LabNode;

/** A file system of its own for the store, which this machine can make hang. */
beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ckptd-hang-'));
  resources.defer(() => rm(folder, { recursive: true }));
  const image = join(folder, 'image');
  point = join(folder, 'net');
  await mkdir(point);
  await run('truncate', ['-s', '256M', image]);
  await run('mkfs.ext4', ['-q', image]);
  await run('mount', ['-o', 'loop', image, point]);
  resources.defer(async () => void (await run('umount', [point])));
  await mkdir(join(point, 'ckpt'), { mode: 0o700 });
  cluster = await EngineLab.start({
    nodes: 1,
    binds: [{ from: point, to: '/net' }],
    engine: { dir: '/net/ckpt' },
    config: { heartbeat: { every: '20h', splay: '0s', min_age: '10h' } },
  });
  resources.use(cluster);
  node = cluster.lab.node('n1');
});
afterAll(() => resources.disposeAsync());

const hang = () => run('fsfreeze', ['--freeze', point]);
const answer = () => run('fsfreeze', ['--unfreeze', point]);

interface Status {
  readonly status: string;
  readonly details?: string;
}

/** Waits until the checkpoint is there, or will not be. */
async function comesTo(actionId: string, end: 'ready' | 'error'): Promise<Status> {
  return until(
    async () => {
      const { text } = await cluster.engine(node, `/v2/checkpoint/status/${actionId}`);
      const said = JSON.parse(text) as Status;
      return said.status === end && said;
    },
    { what: `checkpoint ${actionId} to be ${end}`, timeoutMs: 60_000, details: () => cluster.told() },
  );
}

/** How often the job's shell has been switched to: it writes to no file. */
async function turns(id: number): Promise<number> {
  const shell = `$(head -n 1 /sys/fs/cgroup/freezer/slurm*/uid_*/job_${id}/step_batch/cgroup.procs)`;
  const { stdout } = await node.run(`grep ^voluntary /proc/${shell}/status`);
  return Number(/\d+/.exec(stdout)?.[0]);
}

/** A job that writes to no file, with one checkpoint. */
async function quietJob(): Promise<{ id: number; first: string }> {
  const id = await cluster.lab.submit({
    script: '#!/bin/bash\nwhile sleep 0.05; do :; done\n',
    options: ['--output=/dev/null'],
  });
  await cluster.lab.waitForJob(id, 'RUNNING');
  const { status, text } = await cluster.askCheckpoint(node, id);
  expect(status).toBe(200);
  await comesTo(text, 'ready');
  return { id, first: text };
}

async function runsOn(id: number): Promise<void> {
  const before = await turns(id);
  await until(async () => (await turns(id)) > before + 5, { what: 'the job to run on' });
  expect((await node.run('ls /run/ckptd-engine/frozen')).stdout).toBe('');
}

const stored = async (id: number) => (await node.run(`ls -A /net/ckpt/${CLUSTER_ID}/${id}`)).stdout;

test('a shared file system that is full is an error for that checkpoint and nothing else', async () => {
  const { id, first } = await quietJob();
  const before = await stored(id);
  const filler = join(point, 'filler');
  await expect(run('dd', ['if=/dev/zero', `of=${filler}`, 'bs=64k'])).rejects.toThrow(/No space left/);
  try {
    const { status, text } = await cluster.askCheckpoint(node, id);
    expect(status).toBe(200);
    expect((await comesTo(text, 'error')).details).toContain('the file system is full');
    const refused = await cluster.askRestore(node, first);
    expect(refused.status).toBe(500);
    expect(refused.text).toMatch(new RegExp(`job ${id} runs on: .*the file system is full`));
    await runsOn(id);
    expect(await stored(id)).toBe(before);
  } finally {
    await rm(filler);
  }
  const { text } = await cluster.askCheckpoint(node, id);
  await comesTo(text, 'ready');
  await cluster.lab.ctl.run(['scancel', `${id}`]);
});

test('a shared file system that hangs keeps no job frozen, and the engine works again once it answers', async () => {
  const { lab } = cluster;
  const { id, first } = await quietJob();
  await hang();
  try {
    const refused = await cluster.askRestore(node, first);
    expect(refused.status).toBe(500);
    expect(refused.text).toMatch(/job \d+ runs on: the file system of \/net\/ckpt/);
    await runsOn(id);
    const hung = await cluster.askCheckpoint(node, id);
    expect(hung.status).toBe(200);
    expect((await comesTo(hung.text, 'error')).details).toContain('/net/ckpt');
    expect(await cluster.engine(node, '/v2/user')).toMatchObject({ status: 200 });
  } finally {
    await answer();
  }
  const again = await until(
    async () => {
      const { status, text } = await cluster.askRestore(node, first);
      return status === 200 && text;
    },
    { what: 'the job to be moved', timeoutMs: 60_000, details: () => cluster.told() },
  );
  expect(again).not.toBe(first);
  expect(await lab.waitForJob(id, 'RUNNING')).toMatchObject({ Restarts: '1' });
  await until(async () => !(await stored(id)).includes('.new-'), {
    what: 'what was half-written to be gone',
  });
});
