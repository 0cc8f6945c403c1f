import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { StepCgroup } from '../../../daemon/engine/proc/cgroup.ts';
import { batchSteps, findTree } from '../../../daemon/engine/proc/tree.ts';
import { FakeNode } from '../support/fake-node.ts';

let node: FakeNode;
beforeEach(async () => {
  node = await FakeNode.make();
});
afterEach(() => node[Symbol.asyncDispose]());

const find = (restored: Parameters<typeof findTree>[0]['restored'] = null, uid = 1500) =>
  findTree({ proc: node.proc, jobId: 7, uid, restored });

test('the batch script and what descends from it', async () => {
  const look = await find();
  expect(look).toMatchObject({
    ok: true,
    tree: { root: { pid: 70, gid: 1500, groups: [1500, 27] }, init: null },
  });
  expect(look.ok && look.tree.folder).toBe(node.step);
  expect(look.ok && look.tree.processes.map(({ pid }) => pid)).toEqual([70, 71]);
});

test('where its cgroup was a moment ago is looked at first, and elsewhere if it is not there', async () => {
  const steps = await batchSteps(node.proc, 7);
  expect([...steps.keys()]).toEqual([node.step]);
  await rm(join(node.proc, '71', 'cgroup'));
  await rm(join(node.proc, '70', 'cgroup'));
  const sought = { proc: node.proc, jobId: 7, uid: 1500, restored: null };
  expect(await findTree({ ...sought, steps })).toMatchObject({ ok: true, tree: { root: { pid: 70 } } });

  const [[, cgroup]] = [...steps] as [[string, StepCgroup]];
  const gone = new Map([[`${node.step}-gone`, cgroup]]);
  expect(await findTree({ ...sought, steps: gone })).toMatchObject({ ok: false });
  await node.add({ pid: 71, ppid: 70, name: 'sleep' });
  expect(await findTree({ ...sought, steps: gone })).toMatchObject({ ok: true, tree: { folder: node.step } });
  expect(await findTree({ ...sought, steps: new Map() })).toMatchObject({ ok: true });
});

test('a process that left the tree is named', async () => {
  await node.add({ pid: 80, ppid: 1, name: 'da) mon\n' });
  expect(await find()).toEqual({
    ok: false,
    message: 'job 7 has processes that do not descend from its batch script: 80 (da) mon?)',
  });
});

test('an orphan that slurmstepd adopted is not the batch script', async () => {
  await node.add({ pid: 69, ppid: 60, name: 'orphan', startTime: 9_000 });
  expect(await find()).toMatchObject({ ok: false, message: expect.stringContaining('69 (orphan)') });
});

test('a zombie is nobody', async () => {
  await node.add({ pid: 80, ppid: 1, state: 'Z' });
  expect(await find()).toMatchObject({ ok: true });
});

test('processes of another user: a job id that came back, or a setuid program', async () => {
  expect(await find(null, 1501)).toMatchObject({
    ok: false,
    message: 'its batch task runs as uid 1500, and job 7 belongs to uid 1501',
  });
  await node.add({ pid: 72, ppid: 71, name: 'su', uid: 0 });
  expect(await find()).toMatchObject({
    ok: false,
    message: 'its process 72 (su) runs as uid 0, and job 7 belongs to uid 1500',
  });
});

test('a cgroup that only looks like the job’s is passed over', async () => {
  const fake = '/user.slice/job_7/step_batch';
  await node.addStep(fake);
  await node.add({ pid: 20, ppid: 1, name: 'slurmstepd', uid: 1501, cgroup: '/user.slice' });
  await node.add({ pid: 21, ppid: 20, uid: 1501, cgroup: fake });
  await node.add({
    pid: 22,
    ppid: 1,
    name: 'slurmstepd',
    exe: '/usr/bin/sudo',
    uid: 0,
    cgroup: '/user.slice',
  });
  await node.add({ pid: 23, ppid: 22, uid: 1501, cgroup: fake });
  expect(await find()).toMatchObject({ ok: true, tree: { root: { pid: 70 } } });
});

test('no batch script', async () => {
  await node.remove(60);
  expect(await find()).toMatchObject({
    ok: false,
    message: expect.stringContaining('no batch script of job 7'),
  });
});

/** The task is the plugin's, root's own; below it pid 1 of the run's namespaces, and the restored tree. */
async function restoredRun(): Promise<void> {
  await node.remove(71);
  await node.add({ pid: 70, ppid: 60, name: 'ckptd', uid: 0 });
  await node.add({ pid: 90, ppid: 70, name: 'ckptd-init', uid: 0, nsPid: 1, startTime: 5 });
  await node.add({ pid: 91, ppid: 90, name: 'bash', nsPid: 70 });
  await node.add({ pid: 92, ppid: 91, name: 'sleep', nsPid: 71 });
}
const noted = { jobId: 7, restarts: 1, init: 90, initStart: 5, root: 70 };

test('a restored run: its root by the pid in its own namespace', async () => {
  await restoredRun();
  const look = await find(noted);
  expect(look).toMatchObject({ ok: true, tree: { root: { pid: 91, nsPids: [91, 70] }, init: { pid: 90 } } });
  expect(look.ok && look.tree.processes.map(({ pid }) => pid)).toEqual([91, 92]);
});

test('a restored run that is not noted, or no more what was noted', async () => {
  await restoredRun();
  expect(await find()).toMatchObject({
    ok: false,
    message: expect.stringContaining('its batch task runs as uid 0'),
  });
  expect(await find({ ...noted, initStart: 6 })).toMatchObject({
    ok: false,
    message: expect.stringContaining('are gone'),
  });
  expect(await find({ ...noted, root: 72 })).toMatchObject({
    ok: false,
    message: expect.stringContaining('is gone'),
  });
});

test('an orphan inside a restored run is named', async () => {
  await restoredRun();
  await node.add({ pid: 93, ppid: 90, name: 'lost', nsPid: 99 });
  expect(await find(noted)).toMatchObject({ ok: false, message: expect.stringContaining('93 (lost)') });
});
