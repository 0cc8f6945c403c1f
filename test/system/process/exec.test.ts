import { existsSync } from 'node:fs';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { Command } from '../../../daemon/system/ports.ts';
import { SLURM_CONF_DEFAULT, systemExec } from '../../../daemon/system/process/exec.ts';

const program = (name: string): string => join(import.meta.dirname, 'fixtures', name);
const command = (name: string, rest: Partial<Command> = {}): Command => ({
  kind: name,
  file: program(name),
  args: [],
  timeoutMs: 20_000,
  ...rest,
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Waits for init to have reaped what was killed. */
async function gone(pids: readonly number[]): Promise<void> {
  while (pids.some(isAlive)) await new Promise(setImmediate);
}

/** The handle of a child that has ended closes a turn of the event loop later; one that leaks never does. */
afterEach(async () => {
  while (process.getActiveResourcesInfo().includes('ProcessWrap')) await new Promise(setImmediate);
});

test('gives a command an environment of its own, and no input', async () => {
  process.env['CEDANA_AUTH_TOKEN'] = 'secret';
  process.env['SQUEUE_FORMAT'] = '%i';
  const exec = systemExec({ slurmConf: '/etc/other.conf' });
  const result = await exec.run({
    kind: 'env',
    file: '/usr/bin/env',
    args: [],
    timeoutMs: 5_000,
    env: { X: 'y' },
  });
  delete process.env['CEDANA_AUTH_TOKEN'];
  delete process.env['SQUEUE_FORMAT'];
  expect(String(result.stdout).trim().split('\n').sort()).toEqual([
    'LANG=C.UTF-8',
    'LC_ALL=C',
    'PATH=/usr/bin:/bin',
    'SLURM_CONF=/etc/other.conf',
    'SLURM_TIME_FORMAT=%s',
    'X=y',
  ]);
  expect(await exec.run(command('reads'))).toEqual({ ok: true, stdout: Buffer.from('end\n') });
});

test("Slurm's own place is named only where slurm.conf is there: a configless node has it elsewhere", async () => {
  const exec = systemExec({ slurmConf: SLURM_CONF_DEFAULT });
  const result = await exec.run({ kind: 'env', file: '/usr/bin/env', args: [], timeoutMs: 5_000 });
  const named = result.stdout
    .toString()
    .split('\n')
    .filter((line) => line.startsWith('SLURM_CONF='));
  expect(named).toEqual(existsSync(SLURM_CONF_DEFAULT) ? [`SLURM_CONF=${SLURM_CONF_DEFAULT}`] : []);
});

test('a command reads what it is given: bytes, or an open file', async () => {
  const exec = systemExec();
  const cat = { kind: 'cat', file: '/bin/cat', args: [], timeoutMs: 20_000 };
  const bytes = Buffer.alloc(300_000, 'ä');
  expect(await exec.run({ ...cat, stdin: bytes })).toEqual({ ok: true, stdout: bytes });
  const folder = await mkdtemp(join(tmpdir(), 'ckptd-exec-'));
  try {
    await writeFile(join(folder, 'file'), 'from a file');
    // Past the descriptors that execa's types know.
    await using file = await open(join(folder, 'file'));
    expect(file.fd).toBeGreaterThan(9);
    expect(await exec.run({ ...cat, stdin: file.fd })).toEqual({
      ok: true,
      stdout: Buffer.from('from a file'),
    });
    expect((await file.stat()).isFile()).toBe(true);
  } finally {
    await rm(folder, { recursive: true });
  }
  // It need not read it.
  expect(await exec.run({ ...cat, file: '/bin/true', stdin: Buffer.alloc(1_000_000) })).toMatchObject({
    ok: true,
  });
});

test('keeps every byte of the output', async () => {
  expect(await systemExec().run(command('garbage'))).toEqual({ ok: true, stdout: Buffer.from([0, 255, 10]) });
});

test('tells an exit code, a signal and a program that is not there apart', async () => {
  const exec = systemExec();
  expect(await exec.run(command('fails'))).toMatchObject({
    ok: false,
    why: 'exit',
    exitCode: 3,
    stdout: Buffer.from('out\n'),
    stderr: 'bad \ufffd things\n',
  });
  expect(await exec.run(command('dies'))).toMatchObject({ why: 'signal', exitCode: null });
  expect(await exec.run(command('nothing'))).toMatchObject({ why: 'missing', exitCode: null });
  expect(await exec.run(command('x', { file: '/etc/passwd' }))).toMatchObject({ why: 'missing' });
  expect(await exec.run(command('x', { file: 'sleep' }))).toMatchObject({ why: 'missing' });
  expect(await exec.run(command('reads', { args: ['a\0b'] }))).toMatchObject({ why: 'aborted' });
});

test('kills a program that ignores SIGTERM, with its children', async () => {
  const result = await systemExec({ killAfterMs: 50 }).run(command('hang', { timeoutMs: 300 }));
  expect(result).toMatchObject({ ok: false, why: 'timeout' });
  const pids = String(result.stdout).trim().split(' ').map(Number);
  expect(pids).toHaveLength(2);
  await gone(pids);
});

test('cuts endless output and kills its writer, on either stream', async () => {
  const exec = systemExec({ killAfterMs: 50 });
  const result = await exec.run(command('flood', { maxBytes: 100_000 }));
  expect(result).toMatchObject({ ok: false, why: 'too-much-output' });
  expect(result.stdout.length).toBeLessThanOrEqual(100_000);
  const other = await exec.run(command('flood-stderr'));
  expect(other).toMatchObject({ ok: false, why: 'too-much-output' });
  expect(!other.ok && other.stderr.length).toBe(2_000);
});

test('an abort kills the command in flight and takes those that wait off the queue', async () => {
  const exec = systemExec({ killAfterMs: 50 });
  const controller = new AbortController();
  const runs = [1, 2, 3].map(() => exec.run(command('hang'), controller.signal));
  const other = exec.run(command('reads', { kind: 'hang' }));
  controller.abort();
  expect(await Promise.all(runs)).toMatchObject([{ why: 'aborted' }, { why: 'aborted' }, { why: 'aborted' }]);
  expect(await other).toMatchObject({ ok: true });
  expect(await exec.run(command('hang'), controller.signal)).toMatchObject({ why: 'aborted' });
});

test('runs one command of a kind at a time, in order, and no more than the queue holds', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'exec-'));
  const exec = systemExec({ longestQueue: 5 });
  const runs = Array.from({ length: 8 }, (_, i) => exec.run(command('alone', { args: [folder, String(i)] })));
  const results = await Promise.all(runs);
  expect(results.map((result) => result.ok)).toEqual([true, true, true, true, true, true, false, false]);
  expect((await readFile(join(folder, 'order'), 'utf8')).split('\n').slice(0, -1)).toEqual([
    '0',
    '1',
    '2',
    '3',
    '4',
    '5',
  ]);
  await rm(folder, { recursive: true });
});

test('counts by kind', async () => {
  const exec = systemExec({ killAfterMs: 50 });
  await exec.run(command('fails', { kind: 'k' }));
  await exec.run(command('fails', { kind: 'k' }));
  await exec.run(command('reads', { kind: 'k' }));
  await exec.run(command('hang', { kind: 'slow', timeoutMs: 200 }));
  expect(exec.counters().get('k')).toMatchObject({ runs: 3, failures: { exit: 2 } });
  expect(exec.counters().get('slow')).toMatchObject({ runs: 1, failures: { timeout: 1 } });
  expect(exec.counters().get('slow')?.totalMs).toBeGreaterThanOrEqual(190);
});
