import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type BatchRun, batchRuns } from '../../../daemon/engine/fence/batch-runs.ts';
import { endRun } from '../../../daemon/engine/fence/end-run.ts';
import { createFreezer } from '../../../daemon/engine/proc/cgroup-freezer.ts';
import type { Clock } from '../../../daemon/system/ports.ts';
import { FakeNode } from '../support/fake-node.ts';

const BOOT = 1_795_000_000;
const JOB = '/slurm_n1/uid_1500/job_7';

let node: FakeNode;
beforeEach(async () => {
  node = await FakeNode.make();
  writeFileSync(join(node.proc, 'stat'), `cpu 1 2 3\nbtime ${BOOT}\n`);
});
afterEach(() => node[Symbol.asyncDispose]());

const run = (): BatchRun => ({
  jobId: 7,
  version: 1,
  folder: dirname(node.step),
  task: { pid: 70, startTime: 700 },
  startedAt: BOOT * 1000 + 7_000,
});

test('a batch run is found by its cgroup and its slurmstepd, and nobody is asked', async () => {
  expect(await batchRuns(node.proc)).toEqual([run()]);
});

test('what only looks like one is none', async () => {
  const fake = '/user.slice/job_8/step_batch';
  await node.addStep(fake);
  await node.add({ pid: 80, ppid: 1, name: 'slurmstepd', uid: 1501, cgroup: '/user.slice' });
  await node.add({ pid: 81, ppid: 80, uid: 1501, cgroup: fake });
  await node.add({
    pid: 82,
    ppid: 1,
    name: 'slurmstepd',
    exe: '/usr/bin/sudo',
    uid: 0,
    cgroup: '/user.slice',
  });
  await node.add({ pid: 83, ppid: 82, uid: 1501, cgroup: fake });
  for (const [pid, path] of [
    [84, '/job_0/step_batch'],
    [85, '/job_99999999999/step_batch'],
    [86, '/slurm_n1/uid_1500/job_9/step_0'],
    [87, '/slurm_n1/../job_9/step_batch'],
  ] as const) {
    await node.addStep(path);
    await node.add({ pid, ppid: 60, cgroup: path });
  }
  expect(await batchRuns(node.proc)).toEqual([run()]);
});

test('cgroup v2 has the processes one folder deeper', async () => {
  const step = '/system.slice/slurmstepd.scope/job_9/step_batch';
  writeFileSync(
    join(node.proc, 'self/mountinfo'),
    `${readFileSync(join(node.proc, 'self/mountinfo'), 'latin1')}12 1 0:35 / ${node.dir}/freezer rw - cgroup2 cgroup2 rw\n`,
  );
  await node.addStep(`${step}/user`);
  await node.add({ pid: 90, ppid: 1, name: 'slurmstepd', uid: 0, cgroup: `${step}/slurm` });
  await node.add({ pid: 91, ppid: 90, cgroup: `${step}/user` });
  writeFileSync(join(node.proc, '90/cgroup'), `0::${step}/slurm\n`);
  writeFileSync(join(node.proc, '91/cgroup'), `0::${step}/user/task_0\n`);
  const found = (await batchRuns(node.proc)).find(({ jobId }) => jobId === 9);
  expect(found).toMatchObject({
    version: 2,
    folder: join(node.dir, 'freezer', dirname(step)),
    task: { pid: 91 },
  });
});

/** Ends run 7 on the fake node; `survives` are in a file system that hangs. As on v1, what is frozen dies when thawed. */
async function end(over: Partial<BatchRun> = {}, survives: readonly number[] = []) {
  const signals: string[] = [];
  const doomed = new Set<number>();
  const state = () => readFileSync(join(node.step, 'freezer.state'), 'utf8').trim();
  const isFrozen = (pid: number) =>
    state() === 'FROZEN' && readFileSync(join(node.proc, String(pid), 'cgroup'), 'utf8').includes('/step_');
  const die = () => {
    for (const pid of [...doomed].filter((pid) => !isFrozen(pid))) {
      rmSync(join(node.proc, String(pid)), { recursive: true });
      doomed.delete(pid);
    }
  };
  let now = 0;
  const clock: Clock = {
    now: () => now,
    sleep: async (ms) => {
      now += ms;
      die();
    },
  };
  const signal = (pid: number, name: NodeJS.Signals) => {
    signals.push(`${name} ${pid} ${state()}`);
    if (!survives.includes(pid)) doomed.add(pid);
    die();
  };
  const freezer = createFreezer({ clock, proc: node.proc, signal });
  const ports = { freezer, clock, proc: node.proc, signal };
  const left = await endRun(ports, { ...run(), ...over }).catch((error: Error) => error.message);
  return { left, signals };
}

test('slurmstepd is ended before all else, while the job is halted; then every process of every step', async () => {
  await node.addStep(`${JOB}/step_0`);
  await node.add({ pid: 61, ppid: 1, name: 'slurmstepd', uid: 0, cgroup: JOB });
  await node.add({ pid: 75, ppid: 61, name: 'mpi', cgroup: `${JOB}/step_0` });
  const { left, signals } = await end();
  expect(left).toBe('ended');
  expect(signals.slice(0, 2).sort()).toEqual(['SIGKILL 60 FROZEN', 'SIGKILL 61 FROZEN']);
  expect(signals.slice(2).sort()).toEqual(['SIGKILL 70 FROZEN', 'SIGKILL 71 FROZEN', 'SIGKILL 75 FROZEN']);
  expect(await node.freezerState()).toBe('THAWED');
  expect(readFileSync(join(dirname(node.step), 'step_0/freezer.state'), 'utf8').trim()).toBe('THAWED');
});

test('a restored job, whose task is a slurmstepd that is halted with it, is ended all the same', async () => {
  await node.remove(70);
  await node.add({ pid: 70, ppid: 60, name: 'slurmstepd', uid: 0, cgroup: `${JOB}/step_batch` });
  const { left, signals } = await end();
  expect(left).toBe('ended');
  expect(signals.map((line) => line.split(' ')[1]).sort()).toEqual(['60', '70', '71']);
  expect(await node.freezerState()).toBe('THAWED');
});

test('nothing outside of the job’s cgroup is touched', async () => {
  await node.add({ pid: 76, ppid: 70, name: 'escaped', cgroup: '/user.slice' });
  await node.addStep('/slurm_n1/uid_1500/job_8/step_batch');
  await node.add({ pid: 65, ppid: 1, name: 'slurmstepd', uid: 0, cgroup: '/slurm_n1/uid_1500/job_8' });
  await node.add({ pid: 77, ppid: 65, cgroup: '/slurm_n1/uid_1500/job_8/step_batch' });
  // A pid of the list that is somebody else by now.
  writeFileSync(join(node.step, 'cgroup.procs'), '70\n71\n999\n');
  const { signals } = await end();
  expect(signals.map((line) => line.split(' ')[1]).sort()).toEqual(['60', '70', '71']);
});

test('a batch script that is gone, or another by now, is left alone', async () => {
  const { left, signals } = await end({ task: { pid: 70, startTime: 699 } });
  expect(left).toBe('gone');
  expect(signals).toEqual([]);
  expect(await node.freezerState()).toBe('THAWED');
});

test('a process that SIGKILL does not end is named, and its cgroup is not left halted', async () => {
  const { left } = await end({}, [71]);
  expect(left).toBe('not even SIGKILL has ended 71 (sleep)');
  expect(await node.freezerState()).toBe('THAWED');
});
