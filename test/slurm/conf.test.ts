import { expect, test } from 'vitest';
import { slurmCommands } from '../../daemon/slurm/commands.ts';
import { loadConf, readConf } from '../../daemon/slurm/conf.ts';
import { systemExec } from '../../daemon/system/process/exec.ts';
import { ManualClock } from '../support/clock.ts';
import { fakeSlurm } from '../support/fake-slurm/fake-slurm.ts';
import { recordingLog } from '../support/log.ts';

const names = { node: 'rack_1', host: 'login' };
const text = (spool: string) =>
  Buffer.from(`Configuration data as of 1\nClusterName             = c\nSlurmdSpoolDir          = ${spool}
SlurmdTimeout           = 300 sec\nSLURM_VERSION           = 24.11.5\n\nCgroup Support Configuration:\nSlurmdSpoolDir = /other\n`);
const spoolDir = (spool: string) => {
  const read = readConf({ ok: true, stdout: text(spool) }, names);
  return read.type === 'conf' ? read.conf.spoolDir : read.type;
};

test('fills in %n and %h, and takes nothing but an absolute path', () => {
  expect(spoolDir('/var/spool/slurmd')).toBe('/var/spool/slurmd');
  expect(spoolDir('/var/spool/slurmd.%n')).toBe('/var/spool/slurmd.rack_1');
  expect(spoolDir('/var/%h/%n/%h')).toBe('/var/login/rack_1/login');
  expect(spoolDir('/x$&/%n')).toBe('/x$&/rack_1');
  expect(spoolDir('relative')).toBe('unavailable');
  expect(spoolDir('')).toBe('unavailable');
});

test('what only some releases and sites say is no reason to do without the rest', () => {
  const read = (lines: string) => readConf({ ok: true, stdout: Buffer.from(lines) }, names);
  const needed = 'SlurmdSpoolDir = /spool\nSLURM_VERSION = 24.11.5\n';
  const conf = { version: '24.11.5', spoolDir: '/spool' };
  expect(read(needed)).toEqual({ type: 'conf', conf: { ...conf, slurmdTimeoutMs: null } });
  for (const [text, slurmdTimeoutMs] of [
    ['300 sec', 300_000],
    ['0 sec', 0],
    ['300', null],
    ['(null)', null],
  ])
    expect(read(`${needed}SlurmdTimeout = ${text}\n`)).toEqual({
      type: 'conf',
      conf: { ...conf, slurmdTimeoutMs },
    });
});

async function load(urgent = new AbortController().signal, node = 'rack_1') {
  const fake = await fakeSlurm();
  const clock = new ManualClock();
  const log = recordingLog();
  const controller = new AbortController();
  await fake.setMode('away');
  const ports = { exec: systemExec(), clock, log, slurm: slurmCommands(fake.bin) };
  const loading = loadConf({ ...ports, names: { ...names, node }, urgent, signal: controller.signal });
  return { fake, clock, log, controller, loading };
}

test('asks on, ever more slowly, while slurmctld is away', async () => {
  const { fake, clock, log, loading } = await load();
  await clock.run(3_600_000);
  expect((await fake.calls('scontrol')).length).toBeLessThan(130);
  await fake.setMode('well');
  await clock.whenSleeping();
  clock.advance(60_000);
  expect(await loading).toMatchObject({ version: '24.11.5', spoolDir: fake.spool });
  expect(log.lines).toHaveLength(1);
  await fake[Symbol.asyncDispose]();
});

test('rejects with the reason of its signal', async () => {
  const { fake, clock, controller, loading } = await load();
  await clock.whenSleeping();
  controller.abort(new Error('stop'));
  await expect(loading).rejects.toThrow('stop');
  await fake[Symbol.asyncDispose]();
});

test('nodes that start before slurmctld come back to it in their own times, unless it is urgent', async () => {
  const second: number[] = [];
  for (const node of ['n1', 'n2', 'n7777']) {
    const { fake, clock, controller, loading } = await load(new AbortController().signal, node);
    await clock.whenSleeping();
    second.push(clock.nextAt() - clock.now());
    controller.abort(new Error('stop'));
    await expect(loading).rejects.toThrow('stop');
    await fake[Symbol.asyncDispose]();
  }
  expect(Math.max(...second) - Math.min(...second)).toBeGreaterThan(5_000);
  const urgent = new AbortController();
  const { fake, clock, controller, loading } = await load(urgent.signal);
  await clock.whenSleeping();
  const calls = async () => (await fake.calls('scontrol')).length;
  expect(await calls()).toBe(1);
  urgent.abort();
  await expect.poll(calls).toBe(2);
  await clock.whenSleeping();
  expect(clock.nextAt() - clock.now()).toBeLessThanOrEqual(4_000);
  controller.abort(new Error('stop'));
  await expect(loading).rejects.toThrow('stop');
  await fake[Symbol.asyncDispose]();
});
