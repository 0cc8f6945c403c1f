import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { CLUSTER_ID } from '../cluster/ckptd-lab.ts';
import { EngineLab, STORE } from '../cluster/engine-lab.ts';
import { type LabNode, until } from '../lab/lab.ts';

let cluster: EngineLab;
let node: LabNode;

beforeAll(async () => {
  // No heartbeats: every checkpoint here is asked for.
  cluster = await EngineLab.start({
    nodes: 1,
    config: { heartbeat: { every: '20h', splay: '0s', min_age: '10h' } },
  });
  node = cluster.lab.node('n1');
});
afterAll(() => cluster?.[Symbol.asyncDispose]());
afterEach(async () => {
  await cluster.lab.ctl.run('scancel --quiet --user=alice');
  await until(async () => (await cluster.lab.ctl.run('squeue -h')).stdout === '', {
    what: 'the jobs to end',
    timeoutMs: 40_000,
  });
});

type Manifest = Record<string, never> & {
  files: { path: string; size: number }[];
  carried: string[];
  frozenMs: number;
  output: string[];
};

async function checkpoint(
  id: number,
  kind = 'simple',
): Promise<{ actionId: string; status: string; details: string }> {
  const body = { job_id: String(id), kind, reason: 'manual' };
  const answer = await cluster.engine(node, '/v2/slurm/checkpoint/job', 'POST', body);
  if (answer.status !== 200) return { actionId: '', status: String(answer.status), details: answer.text };
  const { status, details = '' } = await until(
    async () => {
      const told = await cluster.engine(node, `/v2/checkpoint/status/${answer.text}`);
      const state = JSON.parse(told.text) as { status: string; details?: string };
      return /ready|error/.test(state.status) && state;
    },
    { what: `checkpoint ${answer.text}`, timeoutMs: 60_000, details: () => cluster.told() },
  );
  return { actionId: answer.text, status, details };
}

async function manifestOf(id: number, actionId: string): Promise<Manifest> {
  return JSON.parse(
    await node.readFile(`${STORE}/${CLUSTER_ID}/${id}/${actionId}/manifest.json`),
  ) as Manifest;
}

const processes = async (id: number) =>
  (
    await node.run(
      `ps -o pid=,stat=,args= $(cat /sys/fs/cgroup/freezer/slurm*/uid_*/job_${id}/step_batch/cgroup.procs)`,
    )
  ).stdout;
const restore = (actionId: string) =>
  cluster.engine(node, '/v2/slurm/restore/job', 'POST', {
    action_id: actionId,
    cluster_id: CLUSTER_ID,
    reason: 'manual',
  });
const criuRuns = () =>
  until(async () => (await node.run("pgrep -f '^/usr/sbin/criu dump'", { reject: false })).exitCode === 0, {
    what: 'a dump',
    everyMs: 10,
  });
const nothingLeft = () =>
  until(
    async () =>
      (
        await node.run('ls /var/lib/ckptd-engine/dump /run/ckptd-engine/frozen 2>/dev/null | grep -v :', {
          reject: false,
        })
      ).stdout.trim() === '',
    { what: 'staging folders and markers to go', timeoutMs: 20_000, details: () => cluster.told() },
  );

test('a bash job is dumped while it runs on, and its output’s size is that of the frozen moment', async () => {
  const id = await cluster.running('count.sh');
  const { actionId, status } = await checkpoint(id);
  expect(status).toBe('ready');
  const manifest = await manifestOf(id, actionId);
  expect(manifest).toMatchObject({
    jobId: id,
    uid: 2000,
    gid: 2000,
    user: 'alice',
    node: 'n1',
    output: [`/shared/out-${id}`],
  });
  expect(manifest.frozenMs).toBeGreaterThan(0);
  expect(manifest.files.map(({ path }) => path).sort()).toEqual([`/shared/out-${id}`, `/shared/own-${id}`]);
  await cluster.counts(id);
  const output = await cluster.output(id);
  const { size } = manifest.files.find(({ path }) => path === `/shared/out-${id}`)!;
  expect(size).toBeLessThan(output.length);
  expect(output.slice(0, size)).toMatch(/i=\d+\n$/);
  expect(await processes(id)).not.toMatch(/^\s*\d+\s+[Tt]/m);
  await nothingLeft();
});

test('a dump that fails is told in CRIU’s own words, and the job runs on', async () => {
  const script =
    '#!/bin/bash\nunshare -Ur -u sleep 1000 &\ni=0; while :; do echo "i=$((++i))"; sleep 0.1; done\n';
  const id = await cluster.running(script);
  const { status, details } = await checkpoint(id);
  expect(status).toBe('error');
  expect(details).toMatch(/^CRIU: .*uts.*namespace/i);
  expect(details).not.toContain('RLIMIT');
  await cluster.counts(id);
  expect(await cluster.ready(node, id)).toEqual([]);
  await nothingLeft();
});

test('an active step, a process outside of the tree and another node’s job are 404s that say so', async () => {
  const stepping = await cluster.running(
    '#!/bin/bash\nsrun sleep 1000 & i=0; while :; do echo "i=$((++i))"; sleep 0.1; done\n',
  );
  await until(async () => (await checkpoint(stepping)).details.includes('active step'), { what: 'the step' });
  const astray = await cluster.running(
    '#!/bin/bash\n(setsid sleep 1000 &)\ni=0; while :; do echo "i=$((++i))"; sleep 0.1; done\n',
  );
  const { status, details } = await checkpoint(astray);
  expect([status, details]).toEqual([
    '404',
    expect.stringMatching(/do not descend from its batch script: \d+ \(sleep\)/),
  ]);
  expect(await checkpoint(4_000)).toMatchObject({ status: '404' });
});

test('kill -9 of the engine in the middle of a dump: the job runs on, the rest is cleaned, the next dump works', async () => {
  const id = await cluster.running('heap.py', { env: { MB: '500' }, options: ['--mem=900'] });
  await cluster.engine(node, '/v2/slurm/checkpoint/job', 'POST', {
    job_id: `${id}`,
    kind: 'simple',
    reason: 'manual',
  });
  await criuRuns();
  await node.run('systemctl kill --signal=KILL --kill-whom=main ckptd-engine');
  await cluster.counts(id);
  await until(async () => (await checkpoint(id)).status === 'ready', {
    what: 'the next checkpoint',
    timeoutMs: 30_000,
    details: () => cluster.told(),
  });
  await nothingLeft();
  expect(await cluster.output(id)).not.toContain('broken');
});

test('kill -9 of the engine while a job is stopped to be moved: it runs on where it is', async () => {
  const id = await cluster.running('heap.py', { env: { MB: '500' }, options: ['--mem=900'] });
  const { actionId } = await checkpoint(id);
  const asked = restore(actionId).catch(() => null);
  await criuRuns();
  await node.run('systemctl kill --signal=KILL --kill-whom=main ckptd-engine');
  await asked;
  await cluster.counts(id);
  await nothingLeft();
  expect(await cluster.lab.job(id)).toMatchObject({ JobState: 'RUNNING', Restarts: '0' });
  expect(await cluster.output(id)).not.toContain('broken');
});

test('kill -9 of CRIU in the middle of a dump: the job runs on, unless CRIU had its own code in it', async () => {
  const id = await cluster.running('heap.py', { env: { MB: '500' }, options: ['--mem=900'] });
  const killed = node.run(`
    until ls /var/lib/ckptd-engine/dump/*/images/pages-*.img >/dev/null 2>&1; do :; done
    pkill -KILL -f '^/usr/sbin/criu dump'`);
  const answer = checkpoint(id);
  await killed;
  expect((await answer).status).toBe('error');
  const from = (await cluster.counted(id)).count;
  const runsOrEnded = async () => {
    const { JobState, ExitCode } = await cluster.lab.job(id);
    if ((await cluster.counted(id)).count > from + 3) return JobState === 'RUNNING';
    // A breakpoint that CRIU's code ends with, and nobody there to take it.
    return JobState === 'FAILED' && ExitCode === '0:5';
  };
  await until(runsOrEnded, {
    what: 'the job to run on, or to have ended',
    timeoutMs: 30_000,
    details: () => cluster.told(),
  });
  expect(await cluster.output(id)).not.toContain('broken');
});

const LOCAL = `#!/bin/bash
mkdir -p /tmp/mine-$SLURM_JOB_ID; cd /tmp/mine-$SLURM_JOB_ID
exec 7>"log of
mine"
i=0; while :; do i=$((i+1)); echo "i=$i"; echo "l=$i" >&7; sleep 0.1; done
`;

test('node-local files: frozen with the job, packed as they were, and the job runs on', async () => {
  const id = await cluster.running(LOCAL);
  const folder = `/tmp/mine-${id}`;
  expect((await checkpoint(id)).details).toContain('use kind rootfs');
  for (const kind of ['rootfs', 'rootfsonly']) {
    const { actionId, status, details } = await checkpoint(id, kind);
    expect([status, details]).toEqual(['ready', '']);
    const { carried, files } = await manifestOf(id, actionId);
    expect(carried.sort()).toEqual([folder, `${folder}/log of\nmine`]);
    const archive = `${STORE}/${CLUSTER_ID}/${id}/${actionId}/local.tar.zst`;
    const { stdout: packed } = await node.run(
      `zstd -dc ${archive} | tar -xOf - './tmp/mine-${id}/log of\nmine'`,
    );
    // Written in turn: at the frozen moment the one has at most one line more than the other.
    const lines = (await cluster.output(id)).slice(0, files[0]!.size).match(/i=/g)!.length;
    expect(lines - packed.match(/l=/g)!.length).toBeOneOf([0, 1]);
    await cluster.counts(id);
  }
  expect(await processes(id)).not.toMatch(/^\s*\d+\s+T/m);
  await nothingLeft();
});

const SWAPPER = `#!/bin/bash
cd /tmp/mine-$1 || exit 1
i=0; while :; do
  i=$((i+1)); echo "i=$i"
  ln -sfn /etc/shadow a; mv -T a x; cp /etc/hostname b; mv -T b x
  mkfifo c; mv -T c x; ln -f /tmp/mine-$1/log* d; mv -f d x; rm -rf x; mkdir x; rmdir x
done
`;

test('names that another job swaps under a checkpoint lead nowhere that their owner may not go', async () => {
  const script = LOCAL.replace('i=0;', 'touch x; exec 8<>x; i=0;');
  const id = await cluster.running(script);
  await cluster.submit(SWAPPER.replaceAll('$1', String(id)));
  const shadow = (await node.readFile('/etc/shadow')).split('\n')[0]!;
  let ready = 0;
  for (let round = 0; round < 8; round++) {
    const { actionId, status, details } = await checkpoint(id, 'rootfs');
    if (status !== 'ready') {
      expect(details).toMatch(/cannot be packed|CRIU:/);
      continue;
    }
    ready++;
    const archive = `${STORE}/${CLUSTER_ID}/${id}/${actionId}/local.tar.zst`;
    const { stdout } = await node.run(`zstd -dc ${archive} | cat -v`);
    expect(stdout).not.toContain(shadow);
  }
  expect(ready).toBeGreaterThan(0);
  await cluster.counts(id);
  await nothingLeft();
});

test('a job that forks all the time is dumped or refused, and runs on', async () => {
  const id = await cluster.running(
    '#!/bin/bash\ni=0; while :; do echo "i=$((++i))"; for j in 1 2 3 4 5; do (:) & done; wait; done\n',
  );
  const all = [];
  for (let round = 0; round < 5; round++) all.push((await checkpoint(id)).status);
  expect(all).toContain('ready');
  await cluster.counts(id);
  await nothingLeft();
});

test('a table of 100,000 descriptors', async () => {
  const script = `#!/usr/bin/python3
import os, resource, time
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
most = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 100
f = os.open('/shared/many-%s' % os.environ['SLURM_JOB_ID'], os.O_RDWR | os.O_CREAT)
os.write(f, b'x' * 10)
n = 0
while n < min(most, 100000): os.dup(f); n += 1
# What one process may not have, several have together.
all = n
while all < 95000:
    if os.fork() == 0: time.sleep(100000)
    all += n
i = 0
print('start on here with', all, flush=True)
while True:
    i += 1; print('i=%d' % i, flush=True); time.sleep(0.1)
`;
  const id = await cluster.running(script);
  expect(await cluster.output(id)).toMatch(/with (9[5-9]|1\d\d)\d{3}\n/);
  const { actionId, status, details } = await checkpoint(id);
  expect([status, details]).toEqual(['ready', '']);
  const { files } = await manifestOf(id, actionId);
  expect(files.find(({ path }) => path === `/shared/many-${id}`)?.size).toBe(10);
  await cluster.counts(id);
});
