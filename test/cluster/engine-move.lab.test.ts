import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type LabNode, until } from '../lab/lab.ts';
import { CLUSTER_ID } from './ckptd-lab.ts';
import { EngineLab, type JobOptions, type Program } from './engine-lab.ts';
import { counted } from './output.ts';

let cluster: EngineLab;
let n1: LabNode;
let n2: LabNode;

beforeAll(async () => {
  cluster = await EngineLab.start({
    config: { heartbeat: { every: '60s', splay: '0s', min_age: '0s', concurrency: 8 } },
  });
  n1 = cluster.lab.node('n1');
  n2 = cluster.lab.node('n2');
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

interface Kind {
  readonly what: string;
  readonly program: Program;
  readonly job?: JobOptions;
  /** How it ends, as Slurm shows it. */
  readonly ends: { readonly JobState: string; readonly ExitCode: string };
}

const KINDS: readonly Kind[] = [
  {
    what: 'a shell loop, whose output Slurm truncates at a requeue',
    program: 'count.sh',
    job: { env: { END: '7' } },
    ends: { JobState: 'FAILED', ExitCode: '7:0' },
  },
  {
    what: 'a shell loop with --open-mode=append',
    program: 'count.sh',
    job: { options: ['--open-mode=append'] },
    ends: { JobState: 'COMPLETED', ExitCode: '0:0' },
  },
  {
    what: 'a shell loop with a file for its errors, that ends by a signal',
    program: 'count.sh',
    job: { options: ['--open-mode=truncate', '--error=/shared/err-%j'], env: { END: 'SEGV' } },
    ends: { JobState: 'FAILED', ExitCode: '0:11' },
  },
  {
    what: 'Python with 500 MB',
    program: 'heap.py',
    job: { options: ['--mem=700'] },
    ends: { JobState: 'FAILED', ExitCode: '5:0' },
  },
  {
    what: 'seven processes with pipes and locks',
    program: 'processes.py',
    ends: { JobState: 'FAILED', ExitCode: '6:0' },
  },
  {
    what: 'C with threads, timers, epoll and an eventfd, that ends by a signal',
    program: 'threads',
    ends: { JobState: 'FAILED', ExitCode: '0:12' },
  },
];

describe('three times its node drains, and the job', () => {
  const ids = new Map<string, number>();
  let tasks: number[];
  let trap: number;
  let growing: number;

  beforeAll(async () => {
    const { lab } = cluster;
    for (const { what, program, job } of KINDS) ids.set(what, await cluster.submit(program, job));
    const array = await cluster.submit('count.sh', { options: ['--array=3,5'] });
    trap = await cluster.submit('trap.sh');
    growing = await cluster.submit('grow.py', { options: ['--mem=60'] });
    for (const task of [3, 5]) await lab.waitForJob(`${array}_${task}`, 'RUNNING');
    tasks = [];
    for (const task of [3, 5]) tasks.push(Number((await lab.job(`${array}_${task}`))['JobId']));
    const all = [...ids.values(), ...tasks, trap, growing];
    for (const id of all) await cluster.counting(id);
    await cluster.moveAway(n1, all);
    await cluster.moveAway(n2, all);
    await cluster.moveAway(n1, all);
  });

  test.each(KINDS)('goes on to its own end, its output whole: $what', async ({ what, ends, program }) => {
    const id = ids.get(what)!;
    const job = await cluster.finish(id, ends.JobState);
    expect(job).toMatchObject({ ...ends, Restarts: '3', NodeList: 'n2' });
    const output = await cluster.counted(id);
    expect(output).toEqual({ starts: ['n1'], count: output.count, last: output.count, problems: [] });
    if (program === 'count.sh') {
      const own = counted(await readFile(join(cluster.lab.shared, `own-${id}`), 'utf8'));
      expect(own).toEqual({ starts: [], count: output.count, last: output.count, problems: [] });
    }
  });

  test('goes on as the task of its array that it was', async () => {
    for (const [at, id] of tasks.entries()) {
      const job = await cluster.finish(id);
      expect(job).toMatchObject({ ArrayTaskId: `${[3, 5][at]}`, Restarts: '3', ExitCode: '0:0' });
      const output = await cluster.counted(id);
      expect(output).toEqual({ starts: ['n1'], count: output.count, last: output.count, problems: [] });
    }
  });

  test('answers signals, and ends by its own trap at scancel', async () => {
    const { lab } = cluster;
    await lab.ctl.run(['scancel', '--batch', '--signal=USR1', `${trap}`]);
    await until(async () => (await cluster.output(trap)).includes('got USR1\n'), { what: 'the signal' });
    await lab.ctl.run(['scancel', `${trap}`]);
    expect(await lab.waitForJob(trap, 'CANCELLED')).toMatchObject({ Restarts: '3' });
    await until(async () => (await lab.job(trap))['ExitCode'] === '43:0', { what: 'the exit status' });
    const expected = ['got USR1', 'got TERM'];
    const lines = (await cluster.output(trap)).split('\n').filter((line) => !line.startsWith('slurmstepd'));
    const output = counted(lines.join('\n'), expected);
    expect(output).toMatchObject({ starts: ['n1'], problems: [] });
    for (const line of expected) expect(lines).toContain(line);
  });

  test('is killed where it takes more memory than it asked for', async () => {
    const job = await cluster.finish(growing, 'OUT_OF_MEMORY');
    expect(job).toMatchObject({ Restarts: '3' });
    expect(await cluster.counted(growing)).toMatchObject({ starts: ['n1'] });
    expect(await cluster.lab.nodeState('n2')).not.toContain('DRAIN');
  });

  test('has none of its checkpoints left once it ended', async () => {
    const folder = join(cluster.lab.shared, 'ckpt', CLUSTER_ID);
    await until(async () => (await n1.run(`ls /shared/ckpt/${CLUSTER_ID}`)).stdout === '', {
      what: `${folder} to be empty`,
      timeoutMs: 40_000,
      details: async () => `${(await n1.run('find /shared/ckpt')).stdout}\n${await cluster.told()}`,
    });
  });
});

describe('a restored job', () => {
  // An empty cluster begins its next job on n1.
  afterEach(() => cluster.clear());

  test('is suspended and resumed', async () => {
    const { lab } = cluster;
    const id = await cluster.running('processes.py');
    for (const from of [n1, n2, n1]) await cluster.moveAway(from, [id]);
    // Of a batch job Slurm stops the task itself, and its children wait for it.
    const task = async () => (await n2.run('ps -o stat= -p "$(pgrep -o -u alice -f processes.py)"')).stdout;
    expect(await task()).toMatch(/^[RSD]/);
    await lab.ctl.run(['scontrol', 'suspend', `${id}`]);
    await lab.waitForJob(id, 'SUSPENDED');
    await until(async () => (await task()).startsWith('T'), { what: 'the job to stand still' });
    const { count } = await cluster.counted(id);
    await lab.ctl.run(['scontrol', 'resume', `${id}`]);
    await cluster.counts(id, 3, 30_000, count);
    await cluster.finish(id, 'FAILED');
    expect(await cluster.counted(id)).toMatchObject({ starts: ['n1'], problems: [] });
  });

  test('is measured by sstat', async () => {
    const id = await cluster.running('heap.py', { options: ['--mem=300'], env: { MB: '200' } });
    for (const from of [n1, n2, n1]) await cluster.moveAway(from, [id]);
    const { ctl } = cluster.lab;
    const rss = async () => {
      const { stdout } = await ctl.run(['sstat', '-n', '-P', '-a', '-j', `${id}`, '-o', 'MaxRSS']);
      return Number(/^(\d+)K$/m.exec(stdout)?.[1] ?? 0) / 1024;
    };
    await until(async () => (await rss()) >= 200, {
      what: 'sstat to see 200 MB',
      timeoutMs: 20_000,
      details: async () => (await ctl.run(`sstat -P -a -j ${id}`, { reject: false })).stdout,
    });
    await cluster.finish(id, 'FAILED');
    expect(await cluster.counted(id)).toMatchObject({ starts: ['n1'], problems: [] });
  });

  test('is not steered back to a node that goes away without a drain, and returns to it later', async () => {
    const { lab } = cluster;
    const id = await cluster.running('count.sh');
    const excluded = async () => (await lab.job(id))['ExcNodeList'] ?? '(null)';
    for (const [move, from, to] of [
      [1, n1, n2],
      [2, n2, n1],
    ] as const) {
      const actionId = await cluster.checkpoint(from, id);
      expect(await cluster.askRestore(from, actionId, { reason: 'nodeTermination' })).toMatchObject({
        status: 200,
      });
      await cluster.moved(id, from.name, move);
      // What the move before excluded is free again; Slurm would take n1 first.
      expect([(await lab.job(id))['BatchHost'], await excluded()]).toEqual([to.name, from.name]);
    }
    await cluster.finish(id);
    expect(await cluster.counted(id)).toMatchObject({ starts: ['n1'], problems: [] });
  });

  test('runs steps of its own', async () => {
    const script = `#!/bin/bash
echo "start on $SLURMD_NODENAME"
i=0
until [ -e "/shared/finish-$SLURM_JOB_ID" ]; do i=$((i + 1)); echo "i=$i"; sleep 0.1; done
echo "last=$i"
srun -n1 echo step
`;
    const id = await cluster.running(script);
    await cluster.moveAway(n1, [id]);
    await cluster.finish(id);
    expect(await cluster.counted(id, ['step'])).toMatchObject({ starts: ['n1'], problems: [] });
    expect(await cluster.output(id)).toContain('step\n');
  });
});

describe('what cannot be moved runs on', () => {
  afterEach(() => cluster.clear());

  test('a job with --no-requeue: 400 with the reason', async () => {
    const id = await cluster.running('count.sh', { options: ['--no-requeue'] });
    const actionId = await cluster.checkpoint(n1, id);
    const { status, text } = await cluster.askRestore(n1, actionId);
    expect(status).toBe(400);
    expect(JSON.parse(text)).toMatchObject({ code: '400', message: expect.stringMatching(/--no-requeue/) });
    await cluster.counts(id, 5);
    expect(await cluster.finish(id)).toMatchObject({ Restarts: '0', ExitCode: '0:0' });
    expect(await cluster.counted(id)).toMatchObject({ starts: ['n1'], problems: [] });
  });

  test('a job with an active step: 404 that says so', async () => {
    const script = `#!/bin/bash
echo i=1; echo i=2; echo i=3
srun -n1 bash -c 'touch /shared/step-$SLURM_JOB_ID; until [ -e "/shared/finish-$SLURM_JOB_ID" ]; do sleep 0.1; done'
echo last=3
`;
    const id = await cluster.submit(script);
    await until(
      async () => (await n1.run(['test', '-e', `/shared/step-${id}`], { reject: false })).exitCode === 0,
      {
        what: 'the step',
        timeoutMs: 30_000,
      },
    );
    const { status, text } = await cluster.askCheckpoint(n1, id);
    expect(status).toBe(404);
    expect(JSON.parse(text)).toMatchObject({ code: '404', message: expect.stringContaining(`${id}`) });
    expect(JSON.parse(text).message).toMatch(/step/);
    expect(await cluster.finish(id)).toMatchObject({ Restarts: '0', ExitCode: '0:0' });
    expect((await cluster.counted(id)).problems).toEqual([]);
  });

  test('a job with two nodes, a job elsewhere, a job that is not: 404 that says which', async () => {
    const wide = await cluster.submit('count.sh', { options: ['--nodes=2', '--ntasks=2'] });
    await cluster.lab.waitForJob(wide, 'RUNNING');
    const answers = [
      await cluster.askCheckpoint(n1, wide),
      await cluster.askCheckpoint(n2, wide),
      await cluster.askCheckpoint(n1, 999_999),
    ];
    for (const { status } of answers) expect(status).toBe(404);
    const messages = answers.map(({ text }) => JSON.parse(text).message as string);
    expect(messages[0]).toMatch(/nodes/);
    expect(messages[1]).toMatch(/n1/);
    expect(messages[2]).toMatch(/999999/);
    await cluster.finish(wide);
  });

  test('no job at all for an unknown action id and for another cluster: 404', async () => {
    const unknown = await cluster.askRestore(n1, crypto.randomUUID());
    expect(unknown.status).toBe(404);
    const id = await cluster.running('count.sh');
    const actionId = await cluster.checkpoint(n1, id);
    const foreign = await cluster.askRestore(n1, actionId, { cluster_id: crypto.randomUUID() });
    expect(foreign.status).toBe(404);
    expect(JSON.parse(foreign.text).message).toMatch(/cluster/);
    expect((await cluster.lab.job(id))['Restarts']).toBe('0');
    await cluster.finish(id);
  });
});

describe("a user's options", () => {
  test('reach ckptd: --no-ckpt ends heartbeats, --ckpt-interval sets them', async () => {
    const off = await cluster.running('count.sh', { options: ['--no-ckpt'] });
    const often = await cluster.running('count.sh', { options: ['--ckpt-interval=10s'] });
    const first = await cluster.newCheckpoint(n1, often, [], 20_000);
    await cluster.newCheckpoint(n1, often, [first], 20_000);
    expect(await cluster.ready(n1, off)).toEqual([]);
    for (const id of [off, often]) await cluster.finish(id);
  });

  test('are looked at when the job is submitted', async () => {
    await expect(cluster.submit('count.sh', { options: ['--ckpt-interval=often'] })).rejects.toThrow(
      /ckpt-interval/,
    );
    await expect(cluster.submit('count.sh', { options: ['--ckpt-kind=full'] })).rejects.toThrow(/ckpt-kind/);
  });
});
