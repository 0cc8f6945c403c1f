import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type LabNode, until } from '../lab/lab.ts';
import type { Fault } from '../support/cedana/faults.ts';
import { type CkptdLab, COUNT } from './ckptd-lab.ts';
import { NOTICE_FILE, NoticesLab } from './notices-lab.ts';

let notices: NoticesLab;
let ckptd: CkptdLab;
let n1: LabNode;
let n2: LabNode;

beforeAll(async () => {
  notices = await NoticesLab.start();
  ({ ckptd, n1, n2 } = notices);
});
afterAll(() => notices?.[Symbol.asyncDispose]());
afterEach(async () => {
  await notices.calm();
  expect(ckptd.api.violations).toEqual([]);
});

/** As EC2 writes times: whole seconds. */
function inSeconds(seconds: number): { text: string; at: number } {
  const at = Math.ceil(Date.now() / 1000 + seconds) * 1000;
  return { text: new Date(at).toISOString().replace('.000Z', 'Z'), at };
}

const byPost = async (body: object, node = n1): Promise<string> => {
  const { status, body: said } = await ckptd.ask(node, '/v1/notices', 'POST', body);
  expect(status, JSON.stringify(said)).toBe(201);
  return (said as { id: string }).id;
};

/** In CPUs. */
const SIZES = [1, 2, 8, 6, 1];

const fiveJobs = (): Promise<number[]> =>
  Promise.all(SIZES.map((cpus) => notices.runningOn(n1, '-c', `${cpus}`)));

describe('a spot notice on a node with five jobs of different ages and sizes', () => {
  test('drains the node and brings back all of them in time, the largest unsaved work first', async () => {
    await notices.configure(n1, { restore: { concurrency: 1 } });
    const jobs: { id: number; cpus: number }[] = [];
    for (const cpus of SIZES) jobs.push({ id: await notices.runningOn(n1, '-c', `${cpus}`), cpus });
    const starts = await Promise.all(
      jobs.map(async ({ id }) => Date.parse(`${(await ckptd.lab.job(id))['StartTime']}Z`)),
    );
    const unsaved = () =>
      jobs.map(({ id, cpus }, place) => ({ id, work: cpus * (Date.now() - starts[place]!) }));
    // Later the order stays the same: no two grow towards each other.
    await until(() => Date.now() - starts[2]! > 4_000, { what: 'an order that is beyond doubt' });
    const order = unsaved()
      .sort((a, b) => b.work - a.work)
      .map(({ id }) => id);
    expect(order).not.toEqual(order.toSorted((a, b) => a - b));

    const deadline = inSeconds(60);
    notices.ec2.spot('terminate', deadline.text);
    await notices.waitForDrain(n1);
    expect(await notices.drainReason(n1)).toBe(
      `ckptd: termination notice ec2/spot, deadline ${deadline.text}`,
    );
    await notices.restored(order);
    const restores = notices.restores();
    expect(restores.map(({ jobId }) => jobId)).toEqual(order);
    expect(new Set(restores.map(({ reason }) => reason))).toEqual(new Set(['nodeTermination']));
    for (const { at } of restores) expect(at).toBeLessThan(deadline.at);
    expect(await notices.noticesOf(n1)).toMatchObject([{ source: 'ec2/spot' }]);
    expect((await n1.run('curl -s --unix-socket /run/ckptd/ckptd.sock http://c/metrics')).stdout).toContain(
      'ckptd_notices{source="ec2/spot",kind="termination"} 1\n',
    );
    await notices.configure(n1, { restore: { concurrency: 4 } });
  });

  test('keeps the deadline with an API that takes 2 s an answer', async () => {
    const jobs = await fiveJobs();
    for (const script of Object.values(ckptd.api.scripts)) script.latencyMs = 2_000;
    const deadline = inSeconds(45);
    notices.ec2.spot('stop', deadline.text);
    await notices.restored(jobs, 60_000);
    const restores = notices.restores();
    expect(restores.map(({ jobId }) => jobId).toSorted()).toEqual(jobs.toSorted());
    for (const { at, reason } of restores) {
      expect(reason).toBe('nodeTermination');
      expect(at + 2_000).toBeLessThan(deadline.at);
    }
  });

  test('brings back each once through an API that fails every other time', async () => {
    const jobs = await fiveJobs();
    const bad: Fault[] = [
      { type: 'answer', status: 503, body: { title: 'Service Unavailable', status: 503 } },
      { type: 'reset-before-body' },
    ];
    for (const route of ['checkpoint', 'restore', 'status'] as const) {
      for (let i = 0; i < 20; i++) ckptd.api.scripts[route].faults.push(bad[i % 2]!, { type: 'none' });
    }
    const deadline = inSeconds(60);
    notices.ec2.spot('terminate', deadline.text);
    await notices.restored(jobs, 60_000);
    const restores = notices.restores();
    expect(restores.map(({ jobId }) => jobId).toSorted()).toEqual(jobs.toSorted());
    for (const { at } of restores) expect(at).toBeLessThan(deadline.at);
    expect(ckptd.api.entries.filter(({ fault }) => fault !== 'none').length).toBeGreaterThan(jobs.length);
  });

  test('too late for all: what has a checkpoint goes straight to its restore, and what cannot be saved is said', async () => {
    const jobs = await fiveJobs();
    const saved = jobs.slice(0, 2);
    for (const id of saved) await ckptd.ask(n1, `/v1/jobs/${id}/checkpoint`, 'POST');
    await until(() => notices.areReady(n1, 2), { what: 'two jobs with a checkpoint' });
    for (const script of Object.values(ckptd.api.scripts)) script.latencyMs = 2_000;
    const deadline = inSeconds(5);
    notices.ec2.spot('terminate', deadline.text);
    await notices.restored(jobs, 60_000);
    const restores = notices.restores();
    for (const id of saved) {
      expect(restores.find(({ jobId }) => jobId === id)?.at).toBeLessThan(deadline.at);
      // No final checkpoint would have been ready in time.
      expect(ckptd.requests('checkpoint').filter(({ body }) => body['job_id'] === `${id}`)).toHaveLength(1);
    }
    const late = jobs.filter((id) => !restores.some(({ jobId, at }) => jobId === id && at < deadline.at));
    expect(late.length).toBeGreaterThan(0);
    const history = await notices.history(n1);
    const inDanger = history.filter(({ kind }) => kind === 'job-in-danger').map(({ job_id }) => job_id);
    for (const id of late) {
      expect(inDanger).toContain(id);
      expect(await n1.journal('ckptd')).toMatch(new RegExp(`job ${id} is in danger`));
    }
  });
});

test('a job on two nodes is brought back by its owner when the other node gets the notice', async () => {
  const id = await notices.runningOn(n1, '--nodes=2', '--ntasks=2');
  const deadline = inSeconds(90);
  await n2.writeFile(NOTICE_FILE, `${JSON.stringify({ deadline: deadline.text })}\n`);
  await notices.waitForDrain(n2);
  expect(await notices.drainReason(n2)).toBe(`ckptd: termination notice file, deadline ${deadline.text}`);
  await notices.restored([id]);
  expect(notices.restores()).toMatchObject([{ jobId: id, reason: 'nodeTermination' }]);
  const plan = (await notices.history(n1)).find(({ kind, job_id }) => kind === 'plan-made' && job_id === id);
  expect(plan?.details['deadline']).toBe(new Date(deadline.at).toISOString());
  expect(await ckptd.lab.nodeState('n1')).not.toContain('DRAIN');
});

test('a message on the socket and a file do as a real notice does; taken back, our drain goes', async () => {
  const first = await notices.runningOn(n1);
  const id = await byPost({ kind: 'termination', in: '2m', reason: 'rack 7 loses its power' });
  await notices.restored([first]);
  expect(await notices.drainReason(n1)).toMatch(/^ckptd: termination notice socket, deadline 20\S+Z$/);
  expect((await ckptd.ask(n1, `/v1/notices/${id}`, 'DELETE')).status).toBe(200);
  await notices.waitForLift(n1);

  const second = await notices.runningOn(n1);
  await n1.run(['touch', NOTICE_FILE]);
  await notices.restored([second]);
  expect(await notices.drainReason(n1)).toBe('ckptd: termination notice file, no deadline');
  await n1.run(['rm', NOTICE_FILE]);
  await notices.waitForLift(n1);
  expect(notices.restores()).toMatchObject([
    { jobId: first, reason: 'nodeTermination' },
    { jobId: second, reason: 'nodeTermination' },
  ]);
});

test("an administrator's drain stays theirs, before and after a notice", async () => {
  await ckptd.lab.drain('n1', 'broken fan');
  const id = await byPost({ kind: 'termination', in: '2m' });
  await until(async () => (await notices.history(n1)).some(({ kind }) => kind === 'drain-failed'), {
    what: 'ckptd to leave the drain alone',
  });
  await ckptd.ask(n1, `/v1/notices/${id}`, 'DELETE');
  await until(async () => (await notices.noticesOf(n1)).length === 0, { what: 'the withdrawal' });
  // The next one finds it as it was: nothing of the last one is under way any more.
  await ckptd.ask(n1, `/v1/notices/${await byPost({ kind: 'termination', in: '2m' })}`, 'DELETE');
  expect(await notices.drainReason(n1)).toBe('broken fan');
  expect(await ckptd.lab.nodeState('n1')).toContain('DRAIN');
  await ckptd.lab.resume('n1');
});

test('a rehearsal says each call and makes none; the real notice after it acts', async () => {
  const id = await notices.runningOn(n1);
  await ckptd.ask(n1, `/v1/jobs/${id}/checkpoint`, 'POST');
  await until(() => notices.areReady(n1, 1), { what: 'its checkpoint to be ready' });
  const actionId = ckptd.requests('checkpoint')[0]!.answer!;
  const dry = await byPost({ kind: 'termination', in: '2m', dry_run: true });
  const said = await until(
    async () => {
      const lines = (await notices.history(n1)).filter(({ kind }) => kind === 'dry-run');
      return lines.some(({ message }) => message.includes('restore')) && lines;
    },
    { what: 'the rehearsal' },
  );
  expect(JSON.stringify(said)).toContain(actionId);
  expect(said.some(({ job_id }) => job_id === id)).toBe(true);
  expect(said.some(({ message }) => message.includes('drain'))).toBe(true);
  expect(await ckptd.lab.nodeState('n1')).not.toContain('DRAIN');
  expect((await ckptd.lab.job(id))['Requeue']).toBe('1');
  expect(ckptd.requests('checkpoint')).toHaveLength(1);
  expect(ckptd.requests('restore')).toEqual([]);

  await byPost({ kind: 'termination', in: '2m' });
  await notices.restored([id]);
  expect(notices.restores()).toMatchObject([{ jobId: id, reason: 'nodeTermination' }]);
  await ckptd.ask(n1, `/v1/notices/${dry}`, 'DELETE');
});

test('killed after the notice, again and again, the daemon loses nothing and asks for nothing twice', async () => {
  const { lab, api } = ckptd;
  const names = ['killed-1', 'killed-2', 'killed-3'];
  const jobs = new Map<string, number>();
  for (const name of names) jobs.set(name, await notices.runningOn(n1, `--job-name=${name}`));
  const nameOf = (id: number | undefined) => names.find((name) => jobs.get(name) === id)!;
  let kills = 0;
  const kill = async () => {
    kills++;
    await n1.run('kill -9 "$(systemctl show -P MainPID ckptd)"', { reject: false });
  };
  // As the service does: the old job is cancelled, it goes on as a new one; and each time the answer gets lost.
  api.service.behaviour.onRestore = async ({ action_id }) => {
    const name = nameOf(notices.jobOf(action_id));
    await lab.ctl.run(['scancel', `${jobs.get(name)}`]);
    await lab.submit({ script: COUNT, options: ['--mem=100', `--job-name=${name}`, '-w', 'n2'] });
    await kill();
  };
  let checkpoints = 0;
  api.service.behaviour.onCheckpoint = async () => {
    if (++checkpoints === 2) await kill();
  };
  notices.ec2.spot('terminate', inSeconds(90).text);
  await notices.restored([...jobs.values()], 60_000);
  await until(async () => (await notices.jobsOf(n1)).length === 0, {
    what: 'the daemon to have come to rest',
    timeoutMs: 30_000,
    details: () => n1.journal('ckptd'),
  });
  api.service.behaviour.onCheckpoint = () => {};
  expect(kills).toBeGreaterThanOrEqual(3);
  expect(
    notices
      .restores()
      .map(({ jobId }) => nameOf(jobId))
      .toSorted(),
  ).toEqual(names);
  const { stdout } = await lab.ctl.run('squeue -h -t RUNNING,PENDING -o %j | sort');
  expect(stdout.trim().split('\n')).toEqual(names);
  expect(await notices.drainReason(n1)).toContain('ec2/spot');
});

describe("the host's own shutdown", () => {
  test('is nothing that a restart of the daemon looks like, nor what a user of the node can feign', async () => {
    const id = await notices.runningOn(n1);
    await n1.run(['systemctl', 'restart', 'ckptd']);
    const since = 'journalctl -o cat _SYSTEMD_INVOCATION_ID="$(systemctl show -P InvocationID ckptd)"';
    await until(async () => (await n1.run(since)).stdout.includes('waits until its jobs are saved'), {
      what: 'the new daemon to listen to logind',
    });
    const { stdout } = await n1.run(['systemd-inhibit', '--list', '--no-legend']);
    expect(stdout).toMatch(/^ckptd +0 +root .* shutdown .* delay/);
    await n1.run(
      'busctl emit /org/freedesktop/login1 org.freedesktop.login1.Manager PrepareForShutdown b true',
      { user: 'alice' },
    );
    const later = await notices.runningOn(n1);
    expect(await notices.noticesOf(n1)).toEqual([]);
    expect(await notices.jobsOf(n1)).toMatchObject([id, later].map((job_id) => ({ job_id, plan: null })));
    expect(await ckptd.lab.nodeState('n1')).not.toContain('DRAIN');
  });

  test('waits for the restores; a shutdown that comes to nothing is a notice withdrawn', async () => {
    const id = await notices.runningOn(n1);
    await ckptd.ask(n1, `/v1/jobs/${id}/checkpoint`, 'POST');
    await until(() => ckptd.requests('checkpoint').length === 1, { what: 'a checkpoint' });
    ckptd.api.scripts.restore.latencyMs = 2_000;
    await n1.run(['systemctl', 'poweroff']);
    // Once nothing holds it back any more, systemd refuses, and logind takes its word back.
    await n1.run(['systemctl', 'mask', '--runtime', 'poweroff.target']);
    await notices.waitForDrain(n1);
    expect(await notices.drainReason(n1)).toMatch(/^ckptd: termination notice logind, deadline 20\S+Z$/);
    await notices.restored([id]);
    await notices.waitForLift(n1);
    expect(notices.restores()).toMatchObject([{ jobId: id, reason: 'nodeTermination' }]);
    await n1.run(['systemctl', 'unmask', '--runtime', 'poweroff.target']);
  });

  test('poweroff and reboot wait for the calls, no longer; the node that comes back has no drain', async () => {
    const { lab, api } = ckptd;
    const jobs = [await notices.runningOn(n1), await notices.runningOn(n2)];
    for (const [place, node] of [n1, n2].entries())
      await ckptd.ask(node, `/v1/jobs/${jobs[place]}/checkpoint`, 'POST');
    await until(() => ckptd.requests('checkpoint').length === 2, { what: 'two checkpoints' });
    api.scripts.restore.latencyMs = 2_000;
    await n1.run(['systemctl', 'reboot']);
    await n2.run(['systemctl', 'poweroff']);
    for (const node of [n1, n2]) {
      await until(() => !node.running, { what: `${node.name} to be off`, timeoutMs: 40_000 });
    }
    const calls = api.entries.filter(({ route }) => route === 'restore');
    expect(calls.map(({ answered }) => answered)).toEqual([true, true]);
    expect(
      notices
        .restores()
        .map(({ jobId }) => jobId)
        .toSorted(),
    ).toEqual(jobs.toSorted());
    for (const id of jobs) expect(await lab.jobState(id)).toBe('CANCELLED');
    for (const node of [n1, n2]) {
      expect(await notices.drainReason(node)).toMatch(/^ckptd: termination notice logind, deadline/);
    }

    await Promise.all([n1.start(), n2.start()]);
    for (const node of [n1, n2]) await notices.waitForLift(node, 30_000);
    expect(notices.restores()).toHaveLength(2);
    const heldMs = await heldBack(n1);
    expect(heldMs).toBeGreaterThan(2_000);
    expect(heldMs).toBeLessThan(4_900);
  });

  test('without a job to save, it does not wait', async () => {
    await n2.run(['systemctl', 'reboot']);
    await until(() => !n2.running, { what: 'n2 to be off', timeoutMs: 40_000 });
    expect(ckptd.api.entries).toEqual([]);
    await n2.start();
    expect(await heldBack(n2)).toBeLessThan(2_000);
    await notices.waitForLift(n2, 30_000);
  });
});

/** How long logind held the last shutdown back, by its own words in the journal. */
async function heldBack(node: LabNode): Promise<number> {
  const { stdout } = await node.run(
    'journalctl --quiet --no-pager --output=short-unix --boot=-1 --unit=systemd-logind',
  );
  const at = (words: RegExp) =>
    Number(/^\d+\.\d+/.exec(stdout.split('\n').findLast((l) => words.test(l)) ?? '')?.[0]);
  const ms = (at(/System is rebooting/) - at(/system will reboot now/)) * 1000;
  if (Number.isNaN(ms)) throw new Error(`logind does not say when:\n${stdout}`);
  return ms;
}
