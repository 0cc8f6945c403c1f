import { afterEach, beforeEach, expect, test } from 'vitest';
import { slurmActions } from '../../../daemon/perform/slurm/slurm-actions.ts';
import { slurmCommands } from '../../../daemon/slurm/commands.ts';
import { jobQuery } from '../../../daemon/slurm/query-job.ts';
import { systemClock } from '../../../daemon/system/clock.ts';
import type { CommandResult, Exec } from '../../../daemon/system/ports.ts';
import { systemExec } from '../../../daemon/system/process/exec.ts';
import { type FakeSlurm, fakeSlurm } from '../../support/fake-slurm/fake-slurm.ts';

const { signal } = new AbortController();
// When `fakeSlurm`'s jobs were submitted.
const SUBMITTED = 1_795_461_250_000;
const owner = { uid: 1500, name: 'count' };
let fake: FakeSlurm;

beforeEach(async () => {
  fake = await fakeSlurm();
});
afterEach(() => fake[Symbol.asyncDispose]());

const acts = async () =>
  (await fake.calls()).filter(([program]) => program !== 'squeue').map((call) => call.slice(1));

/** `between` happens after the look and before the command that acts. */
function actions(between: () => Promise<void> = async () => {}) {
  const real = systemExec({ killAfterMs: 50 });
  const exec: Exec = {
    async run(command, abort): Promise<CommandResult> {
      if (command.kind === 'scancel' || command.kind === 'scontrol-update') await between();
      return real.run(command, abort);
    },
  };
  const slurm = slurmCommands(fake.bin, 5_000);
  return slurmActions({ clock: systemClock(), exec, slurm, look: jobQuery(exec, slurm) }, () => owner);
}

test('sets Requeue once, and gives it back', async () => {
  await fake.setJob(7);
  const slurm = actions();
  expect(await slurm.setRequeue(7, 0, false, signal, null)).toEqual({ type: 'done' });
  expect(await slurm.setRequeue(7, 0, false, signal, null)).toEqual({ type: 'done' });
  expect(await acts()).toEqual([['update', 'jobid=7', 'requeue=0']]);
  expect(await fake.job(7, 'Requeue')).toBe('0');
  expect(await slurm.setRequeue(7, 0, true, signal, null)).toEqual({ type: 'done' });
  expect(await fake.job(7, 'Requeue')).toBe('1');
});

test('ends a run once', async () => {
  await fake.setJob(7);
  expect(await actions().endRun(7, 0, signal)).toEqual({ type: 'done' });
  expect(await actions().endRun(7, 0, signal)).toEqual({ type: 'done' });
  expect(await fake.job(7, 'State')).toBe('CANCELLED');
  expect(await acts()).toEqual([['7']]);
});

test('touches no other run of the same job', async () => {
  await fake.setJob(7, { RestartCnt: 1 });
  expect(await actions().endRun(7, 0, signal)).toMatchObject({ type: 'stale', state: 'RUNNING' });
  expect(await actions().setRequeue(7, 0, false, signal, null)).toMatchObject({
    type: 'stale',
    state: 'RUNNING',
  });
  expect(await acts()).toEqual([]);
});

test('touches no other task of the same array', async () => {
  await fake.setJob(7, { ArrayJobID: 7, ArrayTaskID: 2 });
  await fake.setJob(8, { ArrayJobID: 7, ArrayTaskID: 1 });
  expect(await actions().setRequeue(7, 0, false, signal, null)).toEqual({ type: 'done' });
  expect(await actions().endRun(7, 0, signal)).toEqual({ type: 'done' });
  expect(await acts()).toEqual([['update', 'jobid=7_2', 'requeue=0'], ['7_2']]);
  expect([await fake.job(8, 'State'), await fake.job(8, 'Requeue')]).toEqual(['RUNNING', '1']);
  await fake.setJob(9, {
    ArrayJobID: 9,
    ArrayTaskID: '3-8',
    State: 'PENDING',
    NodeList: '',
    BatchHost: 'n/a',
  });
  expect(await actions().endRun(9, 0, signal)).toMatchObject({ type: 'stale' });
});

test.each(['COMPLETED', 'NODE_FAIL', 'CANCELLED'])(
  'a run that is %s needs no end, and takes no guard',
  async (State) => {
    await fake.setJob(7, { State });
    expect(await actions().endRun(7, 0, signal)).toEqual({ type: 'done' });
    expect(await actions().setRequeue(7, 0, false, signal, null)).toMatchObject({
      type: 'stale',
      state: State,
    });
    expect(await acts()).toEqual([]);
  },
);

test('a job that is gone needs no end, and takes no guard', async () => {
  expect(await actions().endRun(7, 0, signal)).toEqual({ type: 'done' });
  expect(await actions().setRequeue(7, 0, false, signal, null)).toMatchObject({
    type: 'stale',
    state: 'ABSENT',
  });
});

test('a job that goes between the look and the command', async () => {
  await fake.setJob(7);
  const gone = actions(() => fake.forgetJob(7));
  expect(await gone.setRequeue(7, 0, false, signal, null)).toMatchObject({ type: 'stale' });
  await fake.setJob(7);
  expect(await gone.endRun(7, 0, signal)).toEqual({ type: 'done' });
  await fake.setJob(7);
  const ended = actions(() => fake.setJob(7, { State: 'COMPLETED' }));
  expect(await ended.setRequeue(7, 0, false, signal, null)).toMatchObject({ type: 'stale' });
});

test.each(['away', 'garbage', 'silent'] as const)(
  'a Slurm that is %s is unavailable, and nothing is done',
  async (mode) => {
    await fake.setJob(7);
    await fake.setMode(mode);
    const slurm = actions();
    expect(await slurm.endRun(7, 0, signal)).toMatchObject({ type: 'unavailable' });
    expect(await slurm.setRequeue(7, 0, false, signal, null)).toMatchObject({ type: 'unavailable' });
    expect(await slurm.queryJob(7, signal, null)).toMatchObject({
      type: 'unavailable',
      message: expect.any(String),
    });
    const sought = { jobId: 7, restarts: 0, since: SUBMITTED };
    expect(await slurm.lookForRestored(sought, signal)).toMatchObject({ type: 'unknown' });
    expect(await acts()).toEqual([]);
  },
);

test('a command whose answer is lost is unavailable, and may be repeated', async () => {
  await fake.setJob(7);
  await fake.setMode('deaf', 'scontrol');
  await fake.setMode('deaf', 'scancel');
  const slurm = actions();
  expect(await slurm.setRequeue(7, 0, false, signal, null)).toMatchObject({ type: 'unavailable' });
  expect(await slurm.setRequeue(7, 0, false, signal, null)).toEqual({ type: 'done' });
  expect(await slurm.endRun(7, 0, signal)).toMatchObject({ type: 'unavailable' });
  expect(await slurm.endRun(7, 0, signal)).toEqual({ type: 'done' });
});

test('nobody waits longer for a Slurm that hangs than they said', async () => {
  await fake.setJob(7);
  await fake.setMode('hang');
  const started = performance.now();
  expect(await actions().queryJob(7, signal, 100)).toMatchObject({
    type: 'unavailable',
    message: expect.any(String),
  });
  expect(await actions().setRequeue(7, 0, false, signal, 100)).toMatchObject({ type: 'unavailable' });
  expect(performance.now() - started).toBeLessThan(3_000);
});

test('no number but a job id gets onto a command line', async () => {
  for (const jobId of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 40])
    expect(await actions().queryJob(jobId, signal, null)).toEqual({ type: 'absent' });
  expect(await fake.calls()).toEqual([]);
});

const look = (restarts = 0, since = SUBMITTED + 10_000) =>
  actions().lookForRestored({ jobId: 7, restarts, since }, signal);

test('a restore did not happen while the run goes on', async () => {
  await fake.setJob(7);
  await fake.setJob(6, { State: 'COMPLETED' });
  expect(await look()).toMatchObject({ type: 'not-yet' });
});

test('a restore happened when the run was requeued', async () => {
  await fake.setJob(7, { RestartCnt: 1, State: 'PENDING', NodeList: '' });
  expect(await look(0)).toMatchObject({ type: 'happened', message: 'job 7 was requeued and is PENDING' });
  expect(await look(1)).toMatchObject({ type: 'not-yet' });
});

test('a restore happened when the run is over and a later job of that user has its name', async () => {
  await fake.setJob(7, { State: 'CANCELLED' });
  const later = { SubmitTime: SUBMITTED / 1000 + 10 };
  await fake.setJob(10, { ...later, UserID: 1501 });
  await fake.setJob(11, { ...later, Name: 'other' });
  await fake.setJob(12);
  expect(await look()).toMatchObject({ type: 'not-yet' });
  await fake.setJob(13, later);
  expect(await look()).toMatchObject({
    type: 'happened',
    message: 'job 13 came up in its place and is RUNNING',
  });
  expect(await look(0, SUBMITTED + 10_999)).toMatchObject({ type: 'happened' });
  expect(await look(0, SUBMITTED + 11_000)).toMatchObject({ type: 'not-yet' });
  await fake.forgetJob(7);
  expect(await look()).toMatchObject({ type: 'happened' });
});
