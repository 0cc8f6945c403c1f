import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../lab/lab.ts';
import { CkptdLab, COUNT } from './ckptd-lab.ts';

const PERIOD_MS = 10_000;
/** Gives the hook what slurmd will give it once the SPANK plugin has put a user's options into its environment. */
const PROLOG = `#!/bin/sh
[ ! -f "/shared/options-of-$SLURM_JOB_ID" ] || . "/shared/options-of-$SLURM_JOB_ID"
exec /usr/lib/ckptd/hooks/prolog
`;
let ckptd: CkptdLab;

beforeAll(async () => {
  ckptd = await CkptdLab.start({
    nodes: 2,
    hooks: false,
    slurmConf: 'Prolog=/etc/slurm/prolog\nEpilog=/usr/lib/ckptd/hooks/epilog\n',
    files: { '/etc/slurm/prolog': { content: PROLOG, mode: 0o755 } },
    config: {
      slurm: { poll_node: '5s', rescan_jobs: '2s' },
      heartbeat: { every: '10s', splay: '0s', min_age: '0s', concurrency: 8 },
      policies: [
        { match: { name: 'cron*' }, heartbeat: { schedule: '*/10 * * * * *', kind: 'rootfs' } },
        { match: { name: 'never' }, enabled: false },
      ],
    },
  });
});
afterAll(() => ckptd?.[Symbol.asyncDispose]());

/** Times of a job's heartbeats, in milliseconds. */
function beats(jobId: number): number[] {
  return ckptd
    .requests('checkpoint')
    .filter(({ body }) => body['job_id'] === `${jobId}` && body['reason'] === 'heartbeat')
    .map(({ at }) => at);
}

test('every running job gets exactly one heartbeat a period, and no other job gets any', async () => {
  const { lab } = ckptd;
  const submit = (name: string, ...options: string[]) =>
    lab.submit({ script: COUNT, options: [`--job-name=${name}`, '--mem=100', ...options] });
  const every = [await submit('every-1'), await submit('every-2'), await submit('wide', '--nodes=2')];
  const cron = [await submit('cron-1'), await submit('cron-2')];
  const never = await submit('never');
  const stopped = await submit('suspended');
  const jobs = [...every, ...cron, never, stopped];
  for (const id of jobs) await lab.waitForJob(id, 'RUNNING');
  const started = new Map<number, number>();
  for (const id of jobs) started.set(id, Date.parse(`${(await lab.job(id))['StartTime']}Z`));
  await lab.ctl.run(['scontrol', 'suspend', `${stopped}`]);
  const beatsBefore = beats(stopped).length;

  const last = every.at(-1)!;
  await until(() => beats(last).length >= 4, {
    what: 'four heartbeats of the job that started last',
    timeoutMs: 60_000,
    everyMs: 200,
  });

  for (const id of every) {
    const times = beats(id);
    const start = started.get(id)!;
    // One in each period since the job's start: the n-th within two seconds after start + n periods.
    times.forEach((at, n) => {
      expect(at - start, `heartbeat ${n + 1} of job ${id}`).toBeGreaterThanOrEqual((n + 1) * PERIOD_MS);
      expect(at - start, `heartbeat ${n + 1} of job ${id}`).toBeLessThan((n + 1) * PERIOD_MS + 2_000);
    });
    expect(times.length).toBe(Math.floor((Date.now() - start) / PERIOD_MS));
  }
  for (const id of cron) {
    const slots = beats(id).map((at) => Math.floor(at / PERIOD_MS));
    expect(slots.length).toBeGreaterThanOrEqual(3);
    expect(slots).toEqual(slots.map((_, n) => slots[0]! + n));
  }
  expect(beats(never)).toEqual([]);
  expect(beats(stopped).length).toBe(beatsBefore);
  const kinds = new Set(
    ckptd.requests('checkpoint').map(({ body }) => `${body['job_name']} ${body['kind']}`),
  );
  expect(kinds).toContain('cron-1 rootfs');
  expect(kinds).toContain('every-1 simple');
  expect(ckptd.api.violations).toEqual([]);
});

test('what the user asked for with --ckpt-… reaches the daemon by the Prolog, and goes before the policy', async () => {
  const { lab } = ckptd;
  await lab.ctl.run('scancel --user=alice');
  const submit = async (option: string) => {
    const id = await lab.submit({ script: COUNT, options: ['--job-name=every-4', '--mem=100', '--hold'] });
    await writeFile(join(lab.shared, `options-of-${id}`), `export ${option}\n`);
    return id;
  };
  const kind = await submit('SPANK_CKPT_KIND=rootfsonly');
  const off = await submit('SPANK_CKPT_OFF=1');
  await lab.ctl.run(['scontrol', 'release', `${kind}`, `${off}`]);
  for (const id of [kind, off]) await lab.waitForJob(id, 'RUNNING');
  await until(() => beats(kind).length >= 1, { what: 'a heartbeat', timeoutMs: 30_000 });
  const kinds = ckptd
    .requests('checkpoint')
    .filter(({ body }) => body['job_id'] === `${kind}`)
    .map(({ body }) => body['kind']);
  expect(new Set(kinds)).toEqual(new Set(['rootfsonly']));
  expect(beats(off)).toEqual([]);
});
