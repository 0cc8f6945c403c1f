import { expect, test } from 'vitest';
import { createEars } from '../../../daemon/engine/fence/ears.ts';
import type { FencePorts } from '../../../daemon/engine/fence/ports.ts';
import { isSilent, readSlurmd, slurmdCommand } from '../../../daemon/engine/fence/silence.ts';
import { slurmCommands } from '../../../daemon/slurm/commands.ts';
import type { CommandResult } from '../../../daemon/system/ports.ts';
import { ManualClock } from '../../support/clock.ts';
import { recordingLog } from '../../support/log.ts';
import { says, TIMED_OUT } from '../support/rig.ts';

/** Of Slurm 24.11.5, with `SLURM_TIME_FORMAT=%s`. */
const RECORDED = `Active Steps             = 1
Actual CPUs              = 2
Actual temp disk space   = 2410 MB
Boot time                = 1795484784
Hostname                 = n1
Last slurmctld msg time  = 1795484787
Slurmd PID               = 60
Slurmd Debug             = 4
Slurmd Logfile           = (null)
Version                  = 24.11.5
`;
const said = (text: string): CommandResult => ({ ok: true, stdout: Buffer.from(text) });
const REFUSED = says(
  'scontrol: error: slurm_slurmd_info: Connection refused\nslurm_load_slurmd_status: Connection refused\n',
);

test('what slurmd says of slurmctld', () => {
  const since = 1_795_484_784_000;
  expect(readSlurmd(said(RECORDED))).toEqual({ type: 'slurmd', at: 1_795_484_787_000, since });
  // It was started a moment ago.
  expect(readSlurmd(said(RECORDED.replace('1795484787', 'NONE')))).toEqual({
    type: 'slurmd',
    at: null,
    since,
  });
});

test('a slurmd that is dead, or hangs', () => {
  expect(readSlurmd(REFUSED)).toEqual({
    type: 'dead',
    why: 'scontrol: error: slurm_slurmd_info: Connection refused',
  });
  expect(readSlurmd(TIMED_OUT)).toMatchObject({ type: 'dead' });
});

test.each([
  ['nothing', ''],
  ['another time', RECORDED.replace('1795484787', '2026-11-24T01:47:07')],
  ['no time', RECORDED.replace('1795484787', '')],
  ['a time that is none', RECORDED.replace('1795484787', '-5')],
  ['a time of no age', RECORDED.replace('1795484787', '99999999999999')],
  ['no start', RECORDED.replace(/Boot.*\n/, '')],
  ['binary', '\0\x01\xff'.repeat(300)],
])('an answer that is not known is not guessed at: %s', (_, text) => {
  expect(readSlurmd(said(text))).toMatchObject({ type: 'unknown' });
});

test('a command that cannot be run says nothing of slurmd', () => {
  for (const why of ['missing', 'aborted', 'too-much-output'] as const)
    expect(readSlurmd({ ...says(''), why } as CommandResult)).toMatchObject({ type: 'unknown' });
});

test('this node alone is asked', () => {
  const { args, env, timeoutMs } = slurmdCommand(slurmCommands('/usr/bin', 4_000), 'n1');
  expect({ args, env, timeoutMs }).toEqual({
    args: ['show', 'slurmd'],
    env: { SLURMD_NODENAME: 'n1' },
    timeoutMs: 4_000,
  });
});

test('a healthy node, which is pinged every second third of SlurmdTimeout, is not silent', () => {
  expect([isSilent(200_000, 300_000), isSilent(250_000, 300_000), isSilent(250_001, 300_000)]).toEqual([
    false,
    false,
    true,
  ]);
  expect([isSilent(7_000, 10_000), isSilent(9_000, 10_000)]).toEqual([false, true]);
});

function ears(answers: CommandResult[]) {
  const log = recordingLog();
  const clock = new ManualClock(1_795_484_790_000);
  const exec = { run: async () => answers.shift()! };
  const ports = { exec, slurm: slurmCommands('/usr/bin'), config: { slurm: { node: 'n1' } }, clock, log };
  const it = createEars(ports as unknown as FencePorts);
  return { log, clock, listen: () => it.listen(300_000, new AbortController().signal) };
}

test('what was heard before slurmd was started again still counts', async () => {
  const { clock, listen } = ears([
    said(RECORDED),
    said(RECORDED.replace('1795484787', 'NONE').replace('1795484784', '1795485000')),
    said(RECORDED.replace('1795484787', '1795485090')),
  ]);
  expect(await listen()).toMatchObject({ silent: false, age: 3_000 });
  clock.advance(300_000);
  expect(await listen()).toMatchObject({ silent: true, age: 303_000 });
  expect(await listen()).toMatchObject({ silent: false, age: 0 });
});

test('a slurmd that is dead is silence at once, counted from what was heard last', async () => {
  const { clock, listen } = ears([said(RECORDED), REFUSED, REFUSED]);
  await listen();
  expect(await listen()).toMatchObject({ silent: true, age: 3_000 });
  clock.advance(1_000);
  expect(await listen()).toMatchObject({ silent: true, age: 4_000, why: expect.stringContaining('refused') });
});

test('an answer that is not known is said once, and taken for hearing', async () => {
  const { clock, listen, log } = ears([said(''), said(''), REFUSED]);
  expect(await listen()).toMatchObject({ silent: false });
  expect(await listen()).toMatchObject({ silent: false });
  expect(log.lines.map(({ level }) => level)).toEqual(['warn']);
  clock.advance(2_000);
  expect(await listen()).toMatchObject({ silent: true, age: 2_000 });
});
