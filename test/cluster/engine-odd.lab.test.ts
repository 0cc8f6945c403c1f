import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type LabNode, until } from '../lab/lab.ts';
import { EngineLab } from './engine-lab.ts';

/** As hostile as Slurm lets a name be that is a file's, too. */
const NAME = 'a"b\'c\n{"job_id":1}\u001b[31m $(id) \\ü%n';
const LOOP = `echo "start on $SLURMD_NODENAME"
i=0
until [ -e "/shared/finish-$SLURM_JOB_ID" ]; do
  i=$((i + 1)); echo "i=$i"
  BODY
  sleep 0.1
done
echo "last=$i"
`;
const loop = (before: string, body = ':') => `#!/bin/bash\n${before}\n${LOOP.replace('BODY', () => body)}`;

/** 100,000 descriptors of one file, some thousand a process where the limit is lower; and it looks at them in procfs. */
const MANY = `#!/usr/bin/python3
import os, resource, time
job = os.environ["SLURM_JOB_ID"]
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
file = os.open(f"/shared/many-{job}", os.O_RDWR | os.O_CREAT)
all = 0
while all < min(most - 100, 100000):
    os.dup(file)
    all += 1
here = all
while all < 100000:
    if os.fork() == 0: time.sleep(100000)
    all += here
folder, maps = os.open("/proc/self/fd", os.O_RDONLY), os.open("/proc/self/maps", os.O_RDONLY)
print("start on", os.environ["SLURMD_NODENAME"], flush=True)
i = 0
while not os.path.exists(f"/shared/finish-{job}"):
    i += 1
    n = len(os.listdir(folder)) if b"python" in os.pread(maps, 4096, 0) else 0
    print(f"i={i}" if n > here and os.write(file, b"x") == 1 else f"only {n}", flush=True)
    time.sleep(0.1)
print(f"last={i}", flush=True)
`;

let cluster: EngineLab;
let n1: LabNode;
let n2: LabNode;
const jobs: Record<'named' | 'homeless' | 'many' | 'suspended' | 'stopped' | 'child', number> = {
  named: 0,
  homeless: 0,
  many: 0,
  suspended: 0,
  stopped: 0,
  child: 0,
};

beforeAll(async () => {
  cluster = await EngineLab.start({
    config: { heartbeat: { every: '15s', splay: '0s', min_age: '0s', concurrency: 8 } },
  });
  n1 = cluster.lab.node('n1');
  n2 = cluster.lab.node('n2');
  jobs.named = await cluster.submit('count.sh', {
    options: [
      `--job-name=${NAME}`,
      `--comment=${NAME}`,
      '--output=/shared/odd-%j-%x',
      '--error=/shared/%8j.err',
    ],
  });
  const shown = (id: number) => `odd-${id}-${NAME}`;
  await symlink(shown(jobs.named), join(cluster.lab.shared, `out-${jobs.named}`));
  jobs.homeless = await cluster.submit(
    loop('mkdir /shared/gone-$SLURM_JOB_ID; cd /shared/gone-$SLURM_JOB_ID; rmdir /shared/gone-$SLURM_JOB_ID'),
  );
  jobs.many = await cluster.submit(MANY, { options: ['--mem=1000'] });
  jobs.suspended = await cluster.submit('processes.py');
  jobs.stopped = await cluster.submit(
    loop('', '[ -e /shared/stop-$SLURM_JOB_ID ] && rm /shared/stop-$SLURM_JOB_ID && kill -STOP $$'),
  );
  jobs.child = await cluster.submit(
    loop('sleep 98765 & until grep -q sleep /proc/$!/comm; do sleep 0.1; done; kill -STOP $!'),
  );
  for (const id of Object.values(jobs)) expect((await cluster.counting(id)).name).toBe('n1');

  const { lab } = cluster;
  await lab.ctl.run(['scontrol', 'suspend', `${jobs.suspended}`]);
  await lab.waitForJob(jobs.suspended, 'SUSPENDED');
  await n1.run(`touch /shared/stop-${jobs.stopped}`, { user: 'alice' });
  await until(async () => (await state(n1, jobs.stopped)).startsWith('T'), {
    what: 'the job to stop itself',
    details: async () =>
      `${await state(n1, jobs.stopped)} ${(await n1.run('ps axo pid,stat,args; ls /shared')).stdout}`,
  });
  await lab.drain('n1', 'broken fan');
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

/** Of the batch script, or what was restored in its place. */
async function state(node: LabNode, id: number): Promise<string> {
  const pids = `find /sys/fs/cgroup/freezer/slurm*/uid_*/job_${id}/step_batch -name cgroup.procs -exec cat {} +`;
  const script = `ps -o stat= -o args= -p $(${pids} | paste -sd,) | grep slurm_script`;
  return (await node.run(script, { reject: false })).stdout;
}

async function whole(id: number, restarts: string): Promise<void> {
  expect(await cluster.finish(id)).toMatchObject({ Restarts: restarts, ExitCode: '0:0', NodeList: 'n2' });
  const output = await cluster.counted(id);
  expect(output).toEqual({ starts: ['n1'], count: output.count, last: output.count, problems: [] });
}

test('a job whose name and comment are a terminal’s and a log’s nightmare, and whose output is named by them', async () => {
  await cluster.moved(jobs.named, 'n1', 1);
  await whole(jobs.named, '1');
  for (const node of [n1, n2])
    for (const unit of ['ckptd', 'ckptd-engine']) {
      const lines = (await cluster.log(node, unit)).split('\n');
      expect(lines.filter((line) => line.includes('\u001b') || line.startsWith('{"job_id":1}'))).toEqual([]);
    }
});

test('a job whose working folder was removed', async () => {
  await cluster.moved(jobs.homeless, 'n1', 1);
  await whole(jobs.homeless, '1');
});

test('a job with 100,000 descriptors', async () => {
  await cluster.moved(jobs.many, 'n1', 1, 120_000);
  await whole(jobs.many, '1');
});

/** See hooks/criu/restored-root.h: what stands still as a whole counts as suspended. */
test('a job that had stopped itself as a whole is moved, and goes on', async () => {
  await cluster.moved(jobs.stopped, 'n1', 1);
  await whole(jobs.stopped, '1');
});

test('a job with a child that is stopped goes on, and the child stays as it was until SIGCONT', async () => {
  await cluster.moved(jobs.child, 'n1', 1);
  const child = async () =>
    (await n2.run('ps -o stat= -p "$(pgrep -f \'^sleep 98765\')"', { reject: false })).stdout;
  expect(await child()).toMatch(/^T/);
  await n2.run("pkill -CONT -f '^sleep 98765'");
  await until(async () => (await child()).startsWith('S'), { what: 'the child to go on' });
  await whole(jobs.child, '1');
});

test('a suspended job stays where it is until it is resumed, and moves then', async () => {
  const id = jobs.suspended;
  const { lab } = cluster;
  expect(await lab.job(id)).toMatchObject({ JobState: 'SUSPENDED', Restarts: '0', NodeList: 'n1' });
  const { count } = await cluster.counted(id);
  await lab.ctl.run(['scontrol', 'resume', `${id}`]);
  // ckptd looks at a suspended job once a minute.
  await cluster.moved(id, 'n1', 1, 120_000);
  expect((await cluster.counted(id)).count).toBeGreaterThan(count);
  const job = await cluster.finish(id, 'FAILED');
  expect(job).toMatchObject({ ExitCode: '6:0', Restarts: '1', NodeList: 'n2' });
  const output = await cluster.counted(id);
  expect(output).toEqual({ starts: ['n1'], count: output.count, last: output.count, problems: [] });
});
