import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createSlurmds } from '../../../daemon/engine/fence/slurmd.ts';
import type { CommandResult } from '../../../daemon/system/ports.ts';
import { recordingLog } from '../../support/log.ts';
import { FakeNode } from '../support/fake-node.ts';
import { says } from '../support/rig.ts';

let node: FakeNode;
let log: ReturnType<typeof recordingLog>;
let commands: string[];
let answer: CommandResult;
beforeEach(async () => {
  node = await FakeNode.make();
  log = recordingLog();
  commands = [];
  answer = { ok: true, stdout: Buffer.alloc(0) };
});
afterEach(() => node[Symbol.asyncDispose]());

const make = () =>
  createSlurmds({
    proc: node.proc,
    log,
    exec: {
      async run({ file, args }) {
        commands.push([file, ...args].join(' '));
        return answer;
      },
    },
  });

const slurmd = (pid: number, cgroup = '0::/system.slice/slurmd.service', uid = 0) =>
  node
    .add({ pid, ppid: 1, name: 'slurmd', exe: '/usr/sbin/slurmd', uid })
    .then(() => writeFileSync(join(node.proc, String(pid), 'cgroup'), `6:freezer:/\n${cgroup}\n`));

test('the slurmd that was here when runs were ended is restarted, once for all of them', async () => {
  await slurmd(50);
  const slurmds = make();
  await slurmds.remembers(7);
  await slurmds.remembers(8);
  expect([slurmds.areDue(), commands]).toEqual([true, []]);
  await slurmds.forget();
  await slurmds.forget();
  expect(commands).toEqual(['/usr/bin/systemctl --no-block try-restart slurmd.service']);
  expect(log.lines).toMatchObject([{ level: 'warn', fields: { jobs: [7, 8], unit: 'slurmd.service' } }]);
  expect(slurmds.areDue()).toBe(false);
});

test.each(['9:name=systemd:/system.slice/slurmd@n1.service', '0::/system.slice/slurmd@n1.service/main'])(
  'its unit is known by %s',
  async (cgroup) => {
    await slurmd(50, cgroup);
    const slurmds = make();
    await slurmds.remembers(7);
    await slurmds.forget();
    expect(commands).toEqual(['/usr/bin/systemctl --no-block try-restart slurmd@n1.service']);
  },
);

test('a slurmd that is dead, or was started since, remembers nothing', async () => {
  const dead = make();
  await dead.remembers(7);
  expect(dead.areDue()).toBe(false);
  await slurmd(50);
  const slurmds = make();
  await slurmds.remembers(7);
  rmSync(join(node.proc, '50'), { recursive: true });
  await slurmd(51);
  await slurmds.forget();
  expect([commands, log.lines]).toEqual([[], []]);
});

test('a user’s program of that name is nobody', async () => {
  await slurmd(50, '0::/system.slice/other.service', 1500);
  const slurmds = make();
  await slurmds.remembers(7);
  expect(slurmds.areDue()).toBe(false);
});

test('an admin is told where it cannot be restarted', async () => {
  await slurmd(50, '0::/user.slice');
  await slurmd(51);
  answer = says('Failed to restart slurmd.service');
  const slurmds = make();
  await slurmds.remembers(7);
  await slurmds.forget();
  expect(log.lines.map(({ level }) => level)).toEqual(['error', 'error']);
  expect(log.lines.map(({ fields }) => fields)).toMatchObject([
    { jobs: [7], pid: 50, problem: 'it is no unit of systemd' },
    { jobs: [7], pid: 51, problem: expect.stringContaining('Failed to restart') },
  ]);
});
