import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, test } from 'vitest';
import { feedWatchdog, systemdNotify, watchdogUsec } from '../../daemon/system/notify.ts';
import type { Clock, Command, CommandResult, Exec, Log } from '../../daemon/system/ports.ts';
import { systemExec } from '../../daemon/system/process/exec.ts';

function fakes(result: () => CommandResult = () => ({ ok: true, stdout: Buffer.alloc(0) })) {
  const ran: Command[] = [];
  const logged: string[] = [];
  const exec: Exec = {
    run: async (command) => {
      ran.push(command);
      return result();
    },
  };
  const say = (level: string) => (_: object, message: string) => void logged.push(`${level}: ${message}`);
  const log: Log = {
    debug: say('debug'),
    info: say('info'),
    warn: say('warn'),
    error: say('error'),
    fatal: say('fatal'),
  };
  return { ran, logged, exec, log, args: () => ran.map(({ args }) => args.join('|')) };
}
const FAILED: CommandResult = {
  ok: false,
  why: 'exit',
  exitCode: 1,
  stdout: Buffer.alloc(0),
  stderr: '',
  message: 'exited with 1',
};
const env = { NOTIFY_SOCKET: '/run/systemd/notify', CEDANA_AUTH_TOKEN: 'secret' };

describe('systemd is told', () => {
  test('by systemd-notify, which gets the socket and nothing else', async () => {
    const { ran, args, ...deps } = fakes();
    const notify = systemdNotify({ ...deps, env, monotonicUsec: () => 123n });
    await notify.ready('3 jobs');
    await notify.alive();
    await notify.reloading();
    await notify.stopping();
    expect(args()).toEqual([
      'READY=1|STATUS=3 jobs',
      'WATCHDOG=1',
      'RELOADING=1|MONOTONIC_USEC=123',
      'STOPPING=1',
    ]);
    for (const { env: given } of ran) expect(given).toEqual({ NOTIFY_SOCKET: '/run/systemd/notify' });
  });

  test('nothing without a socket', async () => {
    const { ran, ...deps } = fakes();
    const notify = systemdNotify({ ...deps, env: {} });
    await notify.ready('x');
    await notify.status('y');
    expect(ran).toEqual([]);
  });

  test('the same status once, on one line, cut to a length', async () => {
    const { args, ...deps } = fakes();
    const notify = systemdNotify({ ...deps, env });
    await notify.status('3 jobs');
    await notify.status('3 jobs');
    await notify.status('a\nMAINPID=1\r\x00b\ud800');
    await notify.status('😀'.repeat(300));
    expect(args()).toEqual(['STATUS=3 jobs', 'STATUS=a MAINPID=1 b�', `STATUS=${'😀'.repeat(199)}…`]);
  });

  test('in vain: one line of log, not one a ping', async () => {
    let result: CommandResult = FAILED;
    const { logged, ...deps } = fakes(() => result);
    const notify = systemdNotify({ ...deps, env });
    await notify.alive();
    await notify.alive();
    result = { ok: true, stdout: Buffer.alloc(0) };
    await notify.alive();
    await notify.alive();
    expect(logged).toEqual(['warn: systemd could not be notified', 'info: systemd can be notified again']);
  });
});

describe('the watchdog', () => {
  test.each([
    [{ WATCHDOG_USEC: '120000000' }, 120_000_000],
    [{ WATCHDOG_USEC: '120000000', WATCHDOG_PID: '7' }, 120_000_000],
    [{ WATCHDOG_USEC: '120000000', WATCHDOG_PID: '8' }, null],
    [{ WATCHDOG_USEC: '0' }, null],
    [{ WATCHDOG_USEC: 'soon' }, null],
    [{}, null],
  ])('%j: %s', (variables, usec) => expect(watchdogUsec(variables, 7)).toBe(usec));

  test('is fed three times within its time, for as long as the loop turns', async () => {
    const { ran, logged, ...deps } = fakes();
    const notify = systemdNotify({ ...deps, env });
    const stop = new AbortController();
    const slept: number[] = [];
    const clock: Clock = {
      now: () => 0,
      sleep: async (ms) => {
        slept.push(ms);
        if (slept.length === 4) {
          stop.abort(new Error('stop'));
          throw stop.signal.reason;
        }
      },
    };
    const turns = [true, true, false, true];
    const turned = () => turns.shift() ?? false;
    await feedWatchdog({ notify, clock, log: deps.log, usec: 120_000_000, turned }, stop.signal);
    expect(slept).toEqual([40_000, 40_000, 40_000, 40_000]);
    expect(ran).toHaveLength(3);
    expect(logged).toEqual(['warn: the loop has handled no event since the last ping of the watchdog']);
  });
});

/** Receives datagrams as systemd does: closing the barrier's descriptor tells systemd-notify that it was read. */
const RECEIVER = `
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('bound', flush=True)
while True:
    data, fds, _, _ = socket.recv_fds(s, 4096, 4)
    for fd in fds: os.close(fd)
    print(data.decode().replace('\\n', '|'), flush=True)
`;
const missing = ['/usr/bin/systemd-notify', '/usr/bin/python3'].filter((file) => !existsSync(file));
if (missing.length > 0 && process.env['CI']) throw new Error(`CI needs ${missing.join(', ')}`);
if (missing.length > 0)
  console.warn(`LEFT OUT: notify.test.ts with a real systemd-notify; no ${missing.join(', ')}`);

test.skipIf(missing.length > 0)('a real systemd-notify says it so', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'ckptd-notify-'));
  const socket = join(dir, 'notify');
  const receiver = spawn('/usr/bin/python3', ['-c', RECEIVER, socket], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const lines = createInterface({ input: receiver.stdout! })[Symbol.asyncIterator]();
    expect((await lines.next()).value).toBe('bound');
    const { log, logged } = fakes();
    const notify = systemdNotify({ exec: systemExec(), log, env: { NOTIFY_SOCKET: socket } });
    await notify.ready('3 jobs; API ok');
    await notify.reloading();
    await notify.alive();
    const got: string[] = [];
    while (got.length < 3) {
      const line: string = (await lines.next()).value ?? '';
      if (line !== 'BARRIER=1') got.push(line);
    }
    expect(got[0]).toBe('READY=1|STATUS=3 jobs; API ok');
    expect(got[1]).toMatch(/^RELOADING=1\|MONOTONIC_USEC=\d+$/);
    expect(got[2]).toBe('WATCHDOG=1');
    expect(logged).toEqual([]);
  } finally {
    receiver.kill('SIGKILL');
    rmSync(dir, { recursive: true });
  }
});
