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

async function ready(actionId: string): Promise<void> {
  const status = async () => {
    const { text } = await cluster.engine(node, `/v2/checkpoint/status/${actionId}`);
    return (JSON.parse(text) as { status: string }).status === 'ready';
  };
  await until(status, { what: `checkpoint ${actionId}`, details: () => cluster.told() });
}

/** How often the job's shell has been switched to: it writes to no file. */
async function turns(id: number): Promise<number> {
  const shell = `$(head -n 1 /sys/fs/cgroup/freezer/slurm*/uid_*/job_${id}/step_batch/cgroup.procs)`;
  const { stdout } = await node.run(`grep ^voluntary /proc/${shell}/status`);
  return Number(/\d+/.exec(stdout)?.[0]);
}

test('a shared file system that hangs keeps no job frozen, and the engine works again once it answers', async () => {
  const { lab } = cluster;
  const id = await lab.submit({
    script: '#!/bin/bash\nwhile sleep 0.05; do :; done\n',
    options: ['--output=/dev/null'],
  });
  await lab.waitForJob(id, 'RUNNING');
  const first = await cluster.askCheckpoint(node, id);
  expect(first).toMatchObject({ status: 200 });
  await ready(first.text);

  await hang();
  let before: number;
  try {
    const refused = await cluster.askRestore(node, first.text);
    expect(refused.status).toBe(500);
    expect(refused.text).toMatch(/job \d+ runs on: the file system of \/net\/ckpt/);
    before = await turns(id);
    await until(async () => (await turns(id)) > before + 5, { what: 'the job to run on' });
    expect((await node.run('ls /run/ckptd-engine/frozen')).stdout).toBe('');
    expect((await cluster.askCheckpoint(node, id)).status).toBe(200);
    expect(await cluster.engine(node, '/v2/user')).toMatchObject({ status: 200 });
  } finally {
    await answer();
  }
  const again = await until(
    async () => {
      const { status, text } = await cluster.askRestore(node, first.text);
      return status === 200 && text;
    },
    { what: 'the job to be moved', timeoutMs: 60_000, details: () => cluster.told() },
  );
  expect(again).not.toBe(first.text);
  expect(await lab.waitForJob(id, 'RUNNING')).toMatchObject({ Restarts: '1' });
  const store = `/net/ckpt/${CLUSTER_ID}/${id}`;
  await until(async () => !(await node.run(`ls -A ${store}`)).stdout.includes('.new-'), {
    what: 'what was half-written to be gone',
  });
});
