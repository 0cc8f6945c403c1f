import { rm } from 'node:fs/promises';
import { expect, test } from 'vitest';
import type { KnownJob } from '../../../daemon/sources/slurm/sightings.ts';
import { world } from './watched.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

test('finds the jobs that run when it starts, by their sockets', async () => {
  await using w = await world();
  await w.fake.setJob(7);
  await w.fake.setJob(8, { NodeList: 'n2', BatchHost: 'n2' });
  await w.fake.startStep(7);
  w.watchJobs();
  await w.clock.run(10 * MINUTE);
  expect(w.seen.events).toMatchObject([
    { type: 'job', facts: { jobId: 7, state: 'RUNNING', batchHost: 'n1' } },
  ]);
  expect(await w.fake.calls()).toHaveLength(1);
});

test('sees a job come and go, without hooks', async () => {
  await using w = await world();
  w.watchJobs();
  await w.clock.run(90_000);
  await w.fake.setJob(7);
  await w.fake.startStep(7);
  await w.clock.run(MINUTE);
  await w.fake.setJob(7, { State: 'COMPLETED' });
  await w.fake.endStep(7);
  await w.clock.run(MINUTE);
  expect(w.seen.events).toMatchObject([{ facts: { state: 'RUNNING' } }, { facts: { state: 'COMPLETED' } }]);
});

test('sees a job that was requeued onto the same node between two scans', async () => {
  await using w = await world();
  await w.fake.setJob(7);
  await w.fake.startStep(7);
  w.watchJobs();
  await w.clock.run(90_000);
  await w.fake.endStep(7);
  await w.fake.setJob(7, { RestartCnt: 1 });
  await w.fake.startStep(7);
  await w.clock.run(MINUTE);
  expect(w.seen.events).toMatchObject([{ facts: { restarts: 0 } }, { facts: { restarts: 1 } }]);
});

test('looks at once when a hook hints at a job, and says it again', async () => {
  await using w = await world();
  await w.fake.setJob(7);
  const watch = w.watchJobs();
  await w.clock.whenSleeping();
  watch.hint(7);
  await w.clock.run(1_000);
  watch.hint(7);
  watch.hint(-1);
  watch.hint(Number.NaN);
  await w.clock.run(1_000);
  expect(w.seen.events).toMatchObject([{ facts: { jobId: 7 } }, { facts: { jobId: 7 } }]);
  expect(await w.fake.calls('squeue')).toHaveLength(2);
});

test('looks again and again while a job is on its way, ever more slowly', async () => {
  await using w = await world();
  await w.fake.setJob(7, { State: 'COMPLETING' });
  const watch = w.watchJobs();
  await w.clock.whenSleeping();
  watch.hint(7);
  await w.clock.run(5 * MINUTE);
  const looks = (await w.fake.calls('squeue')).length;
  expect(looks).toBeGreaterThan(7);
  expect(looks).toBeLessThan(13);
  await w.fake.setJob(7, { State: 'COMPLETED' });
  await w.clock.run(2 * MINUTE);
  const states = w.seen.events.map((event) => (event.type === 'job' ? event.facts.state : event.type));
  expect(states.pop()).toBe('COMPLETED');
  expect(new Set(states)).toEqual(new Set(['COMPLETING']));
  const after = (await w.fake.calls('squeue')).length;
  await w.clock.run(10 * MINUTE);
  expect((await w.fake.calls('squeue')).length).toBe(after);
});

test('a job that Slurm does not know is absent', async () => {
  await using w = await world();
  w.watchJobs({ known: () => [{ jobId: 9, restarts: 0, state: 'RUNNING' }] });
  await w.clock.run(2 * MINUTE);
  expect(w.seen.events).toMatchObject([{ type: 'job-absent', jobId: 9 }]);
});

test('the job is the leader of the component that runs here', async () => {
  await using w = await world();
  await w.fake.setJob(20, { HetJobID: 20, NodeList: 'n2', BatchHost: 'n2' });
  await w.fake.setJob(21, { HetJobID: 20 });
  await w.fake.startStep(21, 4294967292);
  w.watchJobs();
  await w.clock.run(5 * MINUTE);
  expect(w.seen.events).toMatchObject([{ facts: { jobId: 20, nodes: ['n2', 'n1'], batchHost: 'n2' } }]);
});

test('a node asks once about a job that belongs to another, whatever its sockets show', async () => {
  await using w = await world();
  await w.fake.setJob(7, { NodeList: 'n[0-1]', BatchHost: 'n0' });
  w.watchJobs();
  await w.clock.run(90_000);
  await w.fake.startStep(7, 0);
  await w.clock.run(2 * MINUTE);
  for (const step of [1, 2, 3]) {
    await w.fake.startStep(7, step);
    await w.fake.endStep(7, step - 1);
    await w.clock.run(MINUTE);
  }
  await w.fake.setJob(7, { NodeList: 'n[0-1]', BatchHost: 'n0', State: 'COMPLETING' });
  await w.clock.run(MINUTE);
  await w.fake.endStep(7, 3);
  await w.clock.run(10 * MINUTE);
  expect(await w.fake.calls('squeue')).toHaveLength(1);
  expect(w.seen.events).toMatchObject([{ facts: { jobId: 7, batchHost: 'n0' } }]);
});

test("a job of another node's that is requeued onto this one, with its batch script, is seen", async () => {
  await using w = await world();
  await w.fake.setJob(7, { NodeList: 'n[0-1]', BatchHost: 'n0' });
  await w.fake.startStep(7, 4294967292);
  w.watchJobs();
  await w.clock.run(90_000);
  await w.fake.endStep(7, 4294967292);
  await w.fake.setJob(7, { NodeList: 'n[1-2]', BatchHost: 'n1', RestartCnt: 1 });
  await w.fake.startStep(7);
  await w.fake.startStep(7, 4294967292);
  await w.clock.run(MINUTE);
  expect(w.seen.events.at(-1)).toMatchObject({ facts: { jobId: 7, restarts: 1, batchHost: 'n1' } });
});

test('asks once about a heterogeneous job whose leader is elsewhere', async () => {
  await using w = await world();
  await w.fake.setJob(20, { HetJobID: 20, NodeList: 'n2', BatchHost: 'n2' });
  await w.fake.setJob(21, { HetJobID: 20 });
  await w.fake.startStep(21, 4294967292);
  w.watchJobs();
  await w.clock.run(5 * MINUTE);
  await w.fake.endStep(21, 4294967292);
  await w.clock.run(5 * MINUTE);
  expect(await w.fake.calls('squeue')).toHaveLength(2);
});

test('a job of which only its Prolog told is looked at in the next scan, and each node scans in its own time', async () => {
  const at: number[] = [];
  for (const node of ['n1', 'n2']) {
    await using w = await world();
    await w.fake.setJob(7, { NodeList: 'n[0-2]', BatchHost: 'n0' });
    const known: KnownJob[] = [];
    w.watchJobs({
      node,
      known: () => known,
      emit: () => {
        at.push(w.clock.now());
        known.pop();
      },
    });
    await w.clock.run(1_000);
    known.push({ jobId: 7, restarts: 0, state: null });
    await w.clock.run(2 * MINUTE);
  }
  expect(at).toHaveLength(2);
  expect(Math.abs(at[0]! - at[1]!)).toBeGreaterThan(1_000);
});

test('nodes that look again for the same job do so in their own times', async () => {
  const looks = new Set<number>();
  for (const node of ['n1', 'n2', 'n7777']) {
    await using w = await world();
    const began = w.clock.now();
    const seen: number[] = [];
    const watch = w.watchJobs({
      node,
      look: async () => {
        seen.push(w.clock.now() - began);
        return { type: 'unavailable', message: 'away', garbage: false };
      },
    });
    await w.clock.whenSleeping();
    watch.hint(7);
    await w.clock.run(2 * MINUTE);
    expect(seen.length).toBeGreaterThan(4);
    for (const at of seen.slice(1)) looks.add(at);
  }
  expect(looks.size).toBeGreaterThan(14);
});

test('the first looks after a start have a time of their own, unless something waits for them', async () => {
  await using w = await world();
  await w.fake.setJob(7);
  await w.fake.startStep(7);
  const known: KnownJob[] = [];
  const began = w.clock.now();
  const watch = w.watchJobs({ urgent: new AbortController().signal, known: () => known });
  await w.clock.whenSleeping();
  expect(await w.fake.calls()).toEqual([]);
  expect(w.clock.nextAt() - began).toBeGreaterThan(1_000);
  expect(w.clock.nextAt() - began).toBeLessThanOrEqual(30_000);
  known.push({ jobId: 8, restarts: 0, state: null });
  await w.fake.setJob(8);
  watch.hurry();
  await w.clock.run(1_000);
  expect(w.seen.events).toHaveLength(2);
  // A job whose hook ran only now is not waited for either, though it was urgent before.
  known.push({ jobId: 9, restarts: 0, state: null });
  await w.fake.setJob(9);
  watch.hurry();
  await w.clock.run(1_000);
  expect(w.seen.events.at(-1)).toMatchObject({ facts: { jobId: 9 } });
});

test('reconciles: each known job is looked at once in the period, one after the other, by single records', async () => {
  await using w = await world();
  await w.fake.setJob(7);
  await w.fake.setJob(8, { RestartCnt: 3 });
  await w.fake.setJob(9, { State: 'COMPLETED' });
  const known: KnownJob[] = [];
  w.watchJobs({ known: () => known });
  await w.clock.run(30 * MINUTE);
  known.push(...[7, 8, 9, 10].map((jobId) => ({ jobId, restarts: 0, state: 'RUNNING' })));
  const told: [unknown, number][] = [];
  w.seen.events.length = 0;
  for (let minute = 0; minute < 60; minute++) {
    await w.clock.run(MINUTE);
    for (const event of w.seen.events.splice(0)) {
      told.push([event.type === 'job' ? [event.facts.jobId, event.facts.state] : event.type, minute]);
      known.splice(0, 1);
    }
  }
  expect(told.map(([what]) => what)).toEqual([
    [7, 'RUNNING'],
    [8, 'RUNNING'],
    [9, 'COMPLETED'],
    'job-absent',
  ]);
  const minutes = told.map(([, minute]) => minute);
  expect(new Set(minutes).size).toBe(4);
  const calls = await w.fake.calls('squeue');
  expect(calls.every((call) => call.includes('-j'))).toBe(true);
});

test('reconciles by one full squeue where the sockets cannot be read, no sooner after a failure', async () => {
  await using w = await world();
  await rm(w.fake.spool, { recursive: true });
  await w.fake.setJob(7);
  await w.fake.setJob(8, { RestartCnt: 3 });
  await w.fake.setJob(9, { State: 'COMPLETED' });
  await w.fake.setJob(10, { NodeList: 'n2,n1', BatchHost: 'n2' });
  const known: KnownJob[] = [
    { jobId: 8, restarts: 2, state: 'RUNNING' },
    { jobId: 9, restarts: 0, state: 'RUNNING' },
  ];
  w.watchJobs({ known: () => known });
  const full = async () => (await w.fake.calls('squeue')).filter((call) => call.includes('-w')).length;
  await w.fake.setMode('garbage');
  await w.clock.run(90 * MINUTE);
  expect(await full()).toBe(3);
  await w.fake.setMode('well');
  await w.clock.run(30 * MINUTE);
  const told = w.seen.events.map((event) =>
    event.type === 'job' ? [event.facts.jobId, event.facts.state] : event,
  );
  expect(told).toEqual([
    [7, 'RUNNING'],
    [8, 'RUNNING'],
    [9, 'COMPLETED'],
  ]);
  expect(await full()).toBe(4);
});

test.each(['away', 'garbage', 'silent'] as const)(
  'slurmctld is %s for an hour: no job is declared gone',
  async (mode) => {
    await using w = await world();
    for (const jobId of [7, 8, 9]) {
      await w.fake.setJob(jobId);
      await w.fake.startStep(jobId);
    }
    const known = () => [7, 8, 9].map((jobId) => ({ jobId, restarts: 0, state: 'RUNNING' }));
    const watch = w.watchJobs({ known });
    await w.clock.run(MINUTE);
    expect(w.seen.events).toHaveLength(3);
    await w.fake.setMode(mode);
    const before = (await w.fake.calls()).length;
    await w.fake.endStep(8);
    await w.clock.run(HOUR);
    expect(w.seen.events).toHaveLength(3);
    expect((await w.fake.calls()).length - before).toBeLessThan(100);
    expect(watch.counters()).toMatchObject({ garbage: mode === 'away' ? 0 : expect.any(Number) });
    expect(watch.counters().waiting).toBeGreaterThan(0);
    await w.fake.setMode('well');
    await w.fake.setJob(8, { State: 'FAILED' });
    await w.clock.run(2 * MINUTE);
    expect(w.seen.events.slice(3)).toContainEqual(
      expect.objectContaining({ facts: expect.objectContaining({ jobId: 8, state: 'FAILED' }) }),
    );
    expect(w.seen.events.filter((event) => event.type === 'job-absent')).toEqual([]);
    expect(watch.counters()).toMatchObject({ waiting: 0, awaySince: null });
    const levels = w.log.lines.map((line) => line.level);
    expect(levels.filter((level) => level === 'warn').length).toBeLessThan(4);
  },
);

test('forty jobs are looked at one after the other, with pauses', async () => {
  await using w = await world();
  const ids = Array.from({ length: 40 }, (_, i) => i + 1);
  for (const jobId of ids) {
    await w.fake.setJob(jobId);
    await w.fake.startStep(jobId);
  }
  w.watchJobs();
  await w.clock.run(2_000);
  expect((await w.fake.calls()).length).toBeLessThan(25);
  await w.clock.run(10_000);
  expect(w.seen.events).toHaveLength(40);
});

test('a spool folder that cannot be read is one error in the log', async () => {
  await using w = await world();
  await rm(w.fake.spool, { recursive: true });
  await w.fake.setJob(7);
  const watch = w.watchJobs();
  await w.clock.run(10 * MINUTE);
  expect(w.log.lines.map((line) => line.level)).toEqual(['error']);
  watch.hint(7);
  await w.clock.run(1_000);
  expect(w.seen.events).toHaveLength(1);
});

test('looks at a suspended job until it runs again', async () => {
  await using w = await world();
  await w.fake.setJob(7, { State: 'SUSPENDED' });
  await w.fake.startStep(7);
  w.watchJobs();
  await w.clock.run(HOUR);
  expect((await w.fake.calls('squeue')).length).toBeLessThan(130);
  await w.fake.setJob(7);
  await w.clock.run(61_000);
  expect(w.seen.events.at(-1)).toMatchObject({ facts: { state: 'RUNNING' } });
});

test('a hint while the same job is looked at is not lost', async () => {
  await using w = await world();
  await w.fake.setJob(7);
  const watch = w.watchJobs();
  await w.clock.whenSleeping();
  watch.hint(7);
  await Promise.resolve();
  watch.hint(7);
  watch.hint(7);
  await w.clock.run(5_000);
  expect(w.seen.events.length).toBeGreaterThanOrEqual(1);
  await w.fake.setJob(7, { State: 'COMPLETED' });
  watch.hint(7);
  await w.clock.run(5_000);
  expect(w.seen.events.at(-1)).toMatchObject({ facts: { state: 'COMPLETED' } });
});

test('is synced with the node once Slurm has answered about each job that was there', async () => {
  await using w = await world();
  for (const jobId of [7, 8]) {
    await w.fake.setJob(jobId);
    await w.fake.startStep(jobId);
  }
  let known = -1;
  const watch = w.watchJobs();
  void watch.synced.then(() => {
    known = w.seen.events.length;
  });
  await w.clock.run(MINUTE);
  expect(known).toBe(2);
});

test('is synced with a node without jobs at once, and not with one whose sockets cannot be read', async () => {
  await using w = await world();
  await w.watchJobs().synced;
  let known = false;
  const watch = w.watchJobs({ spoolDir: `${w.fake.spool}/nowhere` });
  void watch.synced.then(() => {
    known = true;
  });
  await w.clock.run(10 * MINUTE, 2);
  expect(known).toBe(false);
});
