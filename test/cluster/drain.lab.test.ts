import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type LabNode, until } from '../lab/lab.ts';
import { CkptdLab, CLUSTER_ID, COUNT } from './ckptd-lab.ts';

const POLL_NODE_MS = 2_000;
let ckptd: CkptdLab;
let n1: LabNode;
let n2: LabNode;

beforeAll(async () => {
  ckptd = await CkptdLab.start({
    nodes: 2,
    // Only the backfill scheduler starts heterogeneous jobs; its usual interval is 30 s.
    slurmConf: 'SchedulerParameters=sched_interval=1,requeue_delay=1,bf_interval=1\n',
    config: {
      slurm: { poll_node: '2s', rescan_jobs: '2s' },
      restore: { source_job: 'cancel', skip_reasons: ['^maintenance'] },
    },
  });
  n1 = ckptd.lab.node('n1');
  n2 = ckptd.lab.node('n2');
});
afterAll(() => ckptd?.[Symbol.asyncDispose]());

afterEach(async () => {
  const { lab, api } = ckptd;
  await api.refuse();
  await lab.ctl.run('scancel --user=alice');
  for (const node of lab.nodes)
    if ((await lab.nodeState(node.name)).includes('DRAIN')) await lab.resume(node.name);
  await until(async () => (await lab.ctl.run('squeue -h')).stdout === '', {
    what: 'the cluster to be empty',
    timeoutMs: 30_000,
    details: async () => (await lab.ctl.run('squeue; scontrol show job')).stdout,
  });
  await api.listen();
  await until(async () => (await Promise.all(lab.nodes.map(jobsOn))).flat().length === 0, {
    what: 'the daemons to have forgotten the jobs of the last test',
    timeoutMs: 20_000,
  });
  api.entries.length = 0;
  expect(api.violations).toEqual([]);
});

async function jobsOn(node: LabNode): Promise<{ job_id: number; state: string; plan: object | null }[]> {
  const { body } = await ckptd.ask(node, '/v1/jobs');
  return (body as { jobs: never[] }).jobs;
}

async function runningOn(node: LabNode, ...options: string[]): Promise<number> {
  const id = await ckptd.lab.submit({ script: COUNT, options: ['--mem=100', ...options] });
  await ckptd.lab.waitForJob(id, 'RUNNING');
  await ckptd.waitUntilWatched(node, id);
  return id;
}

/** The action id that the API gave for a job's newest checkpoint. */
function newestCheckpoint(jobId: number): string | null {
  return ckptd.requests('checkpoint').findLast(({ body }) => body['job_id'] === `${jobId}`)?.answer ?? null;
}

test('a drain brings each job of the node back once: right checkpoint, right cluster, in time', async () => {
  const { lab } = ckptd;
  const jobs = [
    await runningOn(n1, '-w', 'n1'),
    await runningOn(n1, '-w', 'n1'),
    await runningOn(n1, '-w', 'n1'),
  ];
  const elsewhere = await runningOn(n2, '-w', 'n2');
  const drainedAt = Date.now();
  await lab.drain('n1', 'broken fan');
  await ckptd.waitForRequests('restore', jobs.length);
  for (const id of jobs) await lab.waitForJob(id, 'CANCELLED');

  const restores = ckptd.requests('restore');
  expect(restores.map(({ body }) => body['action_id']).sort()).toEqual(jobs.map(newestCheckpoint).sort());
  for (const { at, body } of restores) {
    expect(body).toMatchObject({ cluster_id: CLUSTER_ID, reason: 'nodeUnschedulable' });
    expect(at - drainedAt).toBeLessThanOrEqual(POLL_NODE_MS + 1_000);
  }
  expect(await lab.jobState(elsewhere)).toBe('RUNNING');
  await until(async () => (await jobsOn(n1)).length === 0, { what: 'the ended runs to be forgotten' });
  expect(ckptd.requests('restore')).toHaveLength(jobs.length);
});

test('a two-node job whose second node drains is brought back once, by its batch host', async () => {
  const { lab } = ckptd;
  const id = await runningOn(n1, '--nodes=2', '--ntasks=2');
  const drainedAt = Date.now();
  await lab.drain('n2', 'broken fan');
  await ckptd.waitForRequests('restore', 1);
  await lab.waitForJob(id, 'CANCELLED');
  const [restore] = ckptd.requests('restore');
  expect(restore?.body).toEqual({
    action_id: newestCheckpoint(id),
    cluster_id: CLUSTER_ID,
    reason: 'nodeUnschedulable',
  });
  expect(restore!.at - drainedAt).toBeLessThanOrEqual(POLL_NODE_MS + 1_000);
  expect(ckptd.requests('restore')).toHaveLength(1);
});

test('the tasks of an array are jobs of their own, and a heterogeneous job is its leader', async () => {
  const { lab } = ckptd;
  const array = await lab.submit({ script: COUNT, options: ['--mem=100', '--array=0-1', '-w', 'n1'] });
  await until(async () => (await jobsOn(n1)).filter(({ state }) => state === 'RUNNING').length === 2, {
    what: 'both tasks to be watched',
    timeoutMs: 20_000,
  });
  const tasks = (await jobsOn(n1)).map(({ job_id }) => job_id);
  const het = await lab.submit({
    script: COUNT,
    options: ['--mem=100', '-w', 'n1', ':', '--mem=100', '-w', 'n2'],
  });
  await lab.waitForJob(het, 'RUNNING');
  await ckptd.waitUntilWatched(n1, het);
  expect(tasks).toContain(array);

  await lab.drain('n1', 'broken fan');
  await ckptd.waitForRequests('restore', 3);
  await lab.waitForJob(het, 'CANCELLED');
  const restored = ckptd.requests('restore').map(({ body }) => body['action_id']);
  expect(restored.sort()).toEqual([...tasks, het].map(newestCheckpoint).sort());
});

test('a heterogeneous job leaves when the node of a component drains', async () => {
  const { lab } = ckptd;
  const het = await lab.submit({
    script: COUNT,
    options: ['--mem=100', '-w', 'n1', ':', '--mem=100', '-w', 'n2'],
  });
  await lab.waitForJob(het, 'RUNNING');
  await ckptd.waitUntilWatched(n1, het);
  await lab.drain('n2', 'broken fan');
  await ckptd.waitForRequests('restore', 1);
  expect(ckptd.requests('checkpoint').map(({ body }) => body['job_id'])).toEqual([`${het}`]);
});

test('a suspended job is left alone, and leaves once it runs again', async () => {
  const { lab } = ckptd;
  const stopped = await runningOn(n1, '-w', 'n1');
  const witness = await runningOn(n1, '-w', 'n1');
  await lab.ctl.run(['scontrol', 'suspend', `${stopped}`]);
  await lab.drain('n1', 'broken fan');
  await lab.waitForJob(witness, 'CANCELLED');
  await until(
    async () => (await jobsOn(n1)).some(({ job_id, state }) => job_id === stopped && state === 'SUSPENDED'),
    {
      what: 'ckptd to see that the job is suspended',
    },
  );
  expect(ckptd.requests('restore')).toHaveLength(1);
  expect(await lab.jobState(stopped)).toBe('SUSPENDED');
  expect((await lab.job(stopped))['Requeue']).toBe('1');

  await lab.ctl.run(['scontrol', 'resume', `${stopped}`]);
  await lab.waitForJob(stopped, 'CANCELLED', { timeoutMs: 90_000 });
  expect(ckptd.requests('restore')).toHaveLength(2);
});

test('a drain lifted before the restore was sent takes everything back', async () => {
  const { lab, api } = ckptd;
  const id = await runningOn(n1, '-w', 'n1');
  await api.refuse();
  await lab.drain('n1', 'a mistake');
  await until(async () => (await lab.job(id))['Requeue'] === '0', { what: 'the guard' });
  await lab.resume('n1');
  await until(async () => (await lab.job(id))['Requeue'] === '1', { what: 'the guard to be lifted' });
  await api.listen();
  await until(async () => (await jobsOn(n1))[0]?.plan === null, { what: 'the plan to be dropped' });
  expect(ckptd.requests('restore')).toEqual([]);
  expect(await lab.jobState(id)).toBe('RUNNING');
});

test('jobs outlive a drain whose reason an administrator excepted', async () => {
  const { lab } = ckptd;
  const id = await runningOn(n1, '-w', 'n1');
  await lab.drain('n1', 'maintenance on Sunday');
  await until(
    async () => {
      const { body } = await ckptd.ask(n1, '/v1/status');
      return JSON.stringify(body).includes('maintenance on Sunday');
    },
    { what: 'ckptd to see the drain' },
  );
  expect((await jobsOn(n1)).map(({ job_id, plan }) => ({ job_id, plan }))).toEqual([
    { job_id: id, plan: null },
  ]);
  expect(ckptd.requests('restore')).toEqual([]);
});

test('a daemon killed while its restore is unanswered finds out that it happened, and asks no more', async () => {
  const { lab, api } = ckptd;
  const id = await runningOn(n1, '-w', 'n1', '--job-name=killed');
  const asked = Promise.withResolvers<void>();
  // As the service does: the old job is cancelled, it goes on as a new one; and the answer is never delivered.
  api.service.behaviour.onRestore = async () => {
    await lab.ctl.run(['scancel', `${id}`]);
    await lab.submit({ script: COUNT, options: ['--mem=100', '--job-name=killed', '-w', 'n2'] });
    asked.resolve();
  };
  api.scripts.restore.faults.push({ type: 'hang', acts: true });
  await lab.drain('n1', 'broken fan');
  await asked.promise;
  await n1.run('kill -9 "$(systemctl show -P MainPID ckptd)"');
  await lab.waitForJob(id, 'CANCELLED', { timeoutMs: 60_000 });
  expect(ckptd.requests('restore')).toHaveLength(1);
  api.service.behaviour.onRestore = () => {};
});

test('a daemon killed before it saw the drain asks once it is back', async () => {
  const { lab } = ckptd;
  const id = await runningOn(n1, '-w', 'n1');
  await n1.run('systemctl kill --signal=KILL ckptd');
  await lab.drain('n1', 'broken fan');
  await lab.waitForJob(id, 'CANCELLED', { timeoutMs: 60_000 });
  expect(ckptd.requests('restore')).toHaveLength(1);
});
