import { expect, test } from 'vitest';
import { watchForMissing } from '../../daemon/run/missing-programs.ts';
import type { CommandResult } from '../../daemon/system/ports.ts';
import { systemExec } from '../../daemon/system/process/exec.ts';
import { ManualClock } from '../support/clock.ts';
import { recordingLog } from '../support/log.ts';

const failure = (why: Extract<CommandResult, { ok: false }>['why']): CommandResult => ({
  ok: false,
  why,
  exitCode: null,
  stdout: Buffer.alloc(0),
  stderr: '',
  message: why,
});

/** Each command ends as `next` says. */
function scripted() {
  const clock = new ManualClock();
  const log = recordingLog();
  const script = { next: failure('missing') };
  const exec = watchForMissing({ run: async () => script.next, counters: () => new Map() }, { clock, log });
  const run = (file: string) => exec.run({ kind: 'x', file, args: [], timeoutMs: 1_000 });
  return { clock, log, script, exec, run };
}

test('a program of Slurm that is not there is an error that names it and slurm.bin', async () => {
  const clock = new ManualClock();
  const log = recordingLog();
  const exec = watchForMissing(systemExec(), { clock, log });
  const file = '/nonexistent/bin/squeue';
  const result = await exec.run({ kind: 'squeue', file, args: [], timeoutMs: 10_000 });
  expect(result).toMatchObject({ ok: false, why: 'missing' });
  expect(log.lines).toMatchObject([
    { level: 'error', fields: { file, advice: expect.stringContaining('slurm.bin') } },
  ]);
  expect(log.lines[0]?.message).toContain(file);
  expect(exec.missing()).toEqual([file]);
});

test('it is said again after an hour, and not before', async () => {
  const { clock, log, run } = scripted();
  await run('/opt/bin/squeue');
  clock.advance(3_599_000);
  await run('/opt/bin/squeue');
  expect(log.lines).toHaveLength(1);
  clock.advance(1_000);
  await run('/opt/bin/squeue');
  expect(log.lines).toHaveLength(2);
});

test('it is there after all, whatever it says', async () => {
  const { exec, script, run } = scripted();
  await run('/opt/bin/sinfo');
  script.next = failure('aborted');
  await run('/opt/bin/sinfo');
  expect(exec.missing()).toEqual(['/opt/bin/sinfo']);
  script.next = failure('exit');
  await run('/opt/bin/sinfo');
  expect(exec.missing()).toEqual([]);
});

test('other programs that are not there are their own affair', async () => {
  const { exec, log, run } = scripted();
  await run('/usr/bin/busctl');
  expect(exec.missing()).toEqual([]);
  expect(log.lines).toEqual([]);
});
