import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createFreezer, FREEZE_WITHIN_MS } from '../../../daemon/engine/proc/cgroup-freezer.ts';
import { ManualClock } from '../../support/clock.ts';
import { hangThreads } from '../support/hung-threads.ts';

let folder: string;
let clock: ManualClock;
const signals: string[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cgroup-'));
  clock = new ManualClock();
  signals.length = 0;
  await writeFile(join(folder, 'cgroup.procs'), '11\n12\n0\n');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const freezer = (signal = (pid: number, name: string) => void signals.push(`${name} ${pid}`)) =>
  createFreezer({ clock, proc: '/none', signal });
const file = (name: string) => readFile(join(folder, name), 'utf8');

test('v1: frozen when the kernel says so, not when it was told', async () => {
  await writeFile(join(folder, 'freezer.state'), 'THAWED\n');
  const step = { version: 1, folder } as const;
  await freezer().freeze(step);
  expect(await file('freezer.state')).toBe('FROZEN\n');
  await freezer().thaw(step);
  expect(await file('freezer.state')).toBe('THAWED\n');
});

test('v1: told again as long as it is not frozen: the kernel does not come back to a task that it missed', async () => {
  // Written over from the front, this does not become FROZEN.
  await writeFile(join(folder, 'freezer.state'), 'FREEZING\n');
  const frozen = freezer().freeze({ version: 1, folder });
  await clock.whenSleeping();
  await writeFile(join(folder, 'freezer.state'), 'THAWED\n');
  clock.advance(10);
  await frozen;
  expect(await file('freezer.state')).toBe('FROZEN\n');
});

test('v2: cgroup.freeze tells, cgroup.events answers', async () => {
  await writeFile(join(folder, 'cgroup.freeze'), '0\n');
  await writeFile(join(folder, 'cgroup.events'), 'populated 1\nfrozen 0\n');
  const step = { version: 2, folder } as const;
  const frozen = freezer().freeze(step);
  await clock.whenSleeping();
  expect(await file('cgroup.freeze')).toBe('1\n');
  await writeFile(join(folder, 'cgroup.events'), 'populated 1\nfrozen 1\n');
  clock.advance(10);
  await frozen;
  await freezer().thaw(step);
  expect(await file('cgroup.freeze')).toBe('0\n');
});

test('tasks that cannot be frozen in time: thawed again, and said', async () => {
  await writeFile(join(folder, 'cgroup.freeze'), '0\n');
  await writeFile(join(folder, 'cgroup.events'), 'populated 1\nfrozen 0\n');
  const refused = expect(freezer().freeze({ version: 2, folder })).rejects.toThrow('cannot be frozen');
  for (let ms = 0; ms < FREEZE_WITHIN_MS; ms += 10) {
    await clock.whenSleeping();
    clock.advance(10);
  }
  await refused;
  expect(await file('cgroup.freeze')).toBe('0\n');
});

test('a cgroup that is gone cannot be frozen, and needs no thaw', async () => {
  const step = { version: 1, folder: join(folder, 'gone') } as const;
  await expect(freezer().freeze(step)).rejects.toThrow('the job has ended');
  await freezer().thaw(step);
  await freezer().kill(step);
  expect(signals).toEqual([]);
});

test('kills what is in the cgroup and below it, and nobody outside of this pid namespace', async () => {
  await writeFile(join(folder, 'freezer.state'), 'FROZEN\n');
  await mkdir(join(folder, 'task_0'));
  await writeFile(join(folder, 'task_0/cgroup.procs'), '13\n12\n');
  await freezer().kill({ version: 1, folder });
  expect(signals.toSorted()).toEqual(['SIGKILL 11', 'SIGKILL 12', 'SIGKILL 13']);
  expect(await file('freezer.state')).toBe('THAWED\n');
});

test('a process that ends meanwhile is no error, one that may not be signalled is', async () => {
  await writeFile(join(folder, 'freezer.state'), 'FROZEN\n');
  const failing = (code: string) => () => {
    throw Object.assign(new Error(code), { code });
  };
  await freezer(failing('ESRCH')).kill({ version: 1, folder });
  await expect(freezer(failing('EPERM')).kill({ version: 1, folder })).rejects.toThrow('EPERM');
});

test('a store that keeps every thread of Node’s keeps no job from being frozen, woken or killed', async () => {
  const step = { version: 2, folder } as const;
  const state = () => readFileSync(join(folder, 'cgroup.freeze'), 'utf8').trim();
  writeFileSync(join(folder, 'cgroup.freeze'), '0\n');
  writeFileSync(join(folder, 'cgroup.events'), 'populated 1\nfrozen 1\n');
  mkdirSync(join(folder, '12'));
  writeFileSync(join(folder, '12/stat'), `12 (job) T 1 ${'0 '.repeat(17)}500 0 0\n`);
  writeFileSync(join(folder, '12/status'), 'Uid:\t1\t1\t1\t1\nGid:\t1\nGroups:\t1\nNSpid:\t12\n');
  const woken = createFreezer({
    clock,
    proc: folder,
    signal: (pid, name) => void signals.push(`${name} ${pid}`),
  });
  await using _ = hangThreads();
  await woken.freeze(step);
  expect([state(), await woken.isFrozen(step)]).toEqual(['1', true]);
  await woken.wake(step, new Set());
  expect([state(), signals]).toEqual(['0', ['SIGCONT 12']]);
  await woken.halt(step);
  await woken.kill(step);
  expect([state(), signals.slice(1)]).toEqual(['0', ['SIGKILL 11', 'SIGKILL 12']]);
});
