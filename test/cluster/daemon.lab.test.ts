import { afterAll, beforeAll, expect, test } from 'vitest';
import { type LabNode, until } from '../lab/lab.ts';
import { CkptdLab, COUNT, startDaemon } from './ckptd-lab.ts';

let ckptd: CkptdLab;
let n1: LabNode;

beforeAll(async () => {
  ckptd = await CkptdLab.start({
    nodes: 1,
    config: { heartbeat: { every: '10s', splay: '0s', min_age: '0s' } },
  });
  n1 = ckptd.lab.node('n1');
});
afterAll(() => ckptd?.[Symbol.asyncDispose]());

async function running(): Promise<number> {
  const id = await ckptd.lab.submit({ script: COUNT, options: ['--mem=100'] });
  await ckptd.lab.waitForJob(id, 'RUNNING');
  return id;
}

const show = async (property: string) =>
  (await n1.run(['systemctl', 'show', '-P', property, 'ckptd'])).stdout.trim();

test('systemd has its READY, its status and its watchdog from the daemon', async () => {
  const id = await running();
  await ckptd.waitUntilWatched(n1, id);
  expect(await show('ActiveState')).toBe('active');
  expect(await show('WatchdogUSec')).toBe('2min');
  await until(async () => (await show('StatusText')).startsWith('1 job'), {
    what: 'the status to count the job',
    timeoutMs: 30_000,
  });
});

test('a restart of the daemon is not a node that terminates', async () => {
  const before = ckptd.requests('restore').length;
  await n1.run(['systemctl', 'restart', 'ckptd']);
  const { body } = await ckptd.ask(n1, '/v1/jobs');
  expect((body as { jobs: object[] }).jobs).toMatchObject([{ state: 'RUNNING', plan: null }]);
  expect(ckptd.requests('restore')).toHaveLength(before);
});

test('SIGHUP loads the configuration again; a broken file keeps the old one and says so', async () => {
  const good = await n1.readFile('/etc/ckptd/ckptd.yaml');
  await n1.writeFile('/etc/ckptd/ckptd.yaml', `${good}\nheartbeats: {every: 1s}\n`);
  await n1.run(['systemctl', 'reload', 'ckptd']);
  await until(async () => (await n1.journal('ckptd')).includes('the configuration is kept as it was'), {
    what: 'the refusal',
  });
  expect(await n1.journal('ckptd')).toContain('heartbeats');
  await n1.writeFile('/etc/ckptd/ckptd.yaml', good.replace('10s', '11s'));
  await n1.run(['systemctl', 'reload', 'ckptd']);
  await until(async () => (await n1.journal('ckptd')).includes('the configuration was loaded again'), {
    what: 'the reload',
  });
  expect(await show('ActiveState')).toBe('active');
  const { body } = await ckptd.ask(n1, '/v1/jobs');
  expect((body as { jobs: object[] }).jobs).toHaveLength(1);
});

test('a job that starts while ckptd is down starts as ever, and is found when it is back', async () => {
  await n1.run(['systemctl', 'stop', 'ckptd']);
  const id = await running();
  expect(await ckptd.lab.nodeState('n1')).not.toContain('DRAIN');
  await startDaemon(n1);
  await ckptd.waitUntilWatched(n1, id);
});

test('while slurmctld is away, heartbeats go on and no job is declared gone', async () => {
  const { lab } = ckptd;
  const { body: before } = await ckptd.ask(n1, '/v1/jobs');
  const known = (before as { jobs: { job_id: number }[] }).jobs.map(({ job_id }) => job_id);
  expect(known.length).toBeGreaterThanOrEqual(2);
  await lab.ctl.run(['systemctl', 'stop', 'slurmctld']);
  const sent = ckptd.requests('checkpoint').length;
  await ckptd.waitForRequests('checkpoint', sent + 2 * known.length, 60_000);
  const { body } = await ckptd.ask(n1, '/v1/jobs');
  expect((body as { jobs: { job_id: number }[] }).jobs.map(({ job_id }) => job_id)).toEqual(known);
  const { body: status } = await ckptd.ask(n1, '/v1/status');
  expect(status).toMatchObject({ problems: ['Slurm does not answer'] });
  await lab.ctl.run(['systemctl', 'start', 'slurmctld']);
  await until(
    async () => {
      const { body: now } = await ckptd.ask(n1, '/v1/status');
      return (now as { problems: string[] }).problems.length === 0;
    },
    { what: 'ckptd to see that slurmctld is back', timeoutMs: 60_000 },
  );
  expect(ckptd.api.violations).toEqual([]);
});

test('a second daemon on the same state and socket is refused with the reason', async () => {
  const { exitCode, stderr } = await n1.run(
    '/usr/lib/ckptd/node /usr/lib/ckptd/ckptd.mjs run --config /etc/ckptd/ckptd.yaml',
    { reject: false },
  );
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/another|locked|in use/i);
});

test('a bad configuration ends the start with 78, and systemd does not try again', async () => {
  const good = await n1.readFile('/etc/ckptd/ckptd.yaml');
  await n1.run(['systemctl', 'stop', 'ckptd']);
  await n1.writeFile('/etc/ckptd/ckptd.yaml', good.replace('cluster_id', 'clusterid'));
  await n1.run(['systemctl', 'start', 'ckptd'], { reject: false });
  expect(await show('ExecMainStatus')).toBe('78');
  expect(await show('ActiveState')).toBe('failed');
  expect(await n1.journal('ckptd')).toContain('cluster_id');
  await n1.writeFile('/etc/ckptd/ckptd.yaml', good);
  await startDaemon(n1);
});
