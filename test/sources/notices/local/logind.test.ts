import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { logindSource } from '../../../../daemon/sources/notices/local/logind.ts';
import {
  inhibitingMonitor,
  readLine,
  readState,
} from '../../../../daemon/sources/notices/local/logind-bus.ts';
import type { NoticeSource } from '../../../../daemon/sources/notices/notice-source.ts';
import { SourceHealth } from '../../../../daemon/sources/notices/source-health.ts';
import { systemClock } from '../../../../daemon/system/clock.ts';
import type { Clock } from '../../../../daemon/system/ports.ts';
import { systemExec } from '../../../../daemon/system/process/exec.ts';
import type { NoticesEvent } from '../../../../daemon/vocabulary/event.ts';
import type { Notice } from '../../../../daemon/vocabulary/notice.ts';
import { until } from '../../../lab/until.ts';
import { ManualClock } from '../../../support/clock.ts';
import { FakeLogind } from '../../../support/fake-logind.ts';
import { recordingLog } from '../../../support/log.ts';

const DELAY_MS = 5_000;
let logind: FakeLogind;
let watched: Watched | null;

interface Watched {
  readonly source: NoticeSource;
  readonly events: NoticesEvent[];
  readonly log: ReturnType<typeof recordingLog>;
  readonly done: Promise<void>;
  readonly stop: () => Promise<void>;
}

beforeEach(async () => {
  logind = await FakeLogind.create();
  watched = null;
});
afterEach(async () => {
  await watched?.stop();
  expect(await logind.held()).toBe(false);
  await logind[Symbol.asyncDispose]();
});

function watch(clock: Clock = systemClock()): Watched {
  const stop = new AbortController();
  const log = recordingLog();
  const events: NoticesEvent[] = [];
  const source = logindSource(logind);
  const done = source.watch(
    {
      clock,
      log,
      exec: systemExec(),
      node: 'n1',
      random: () => 0.5,
      health: new SourceHealth('logind', clock, log),
      emit: (event) => events.push(event),
    },
    stop.signal,
  );
  watched = {
    source,
    events,
    log,
    done,
    async stop() {
      stop.abort(new Error('stopped'));
      await done.catch((error: Error) => expect(error.message).toBe('stopped'));
    },
  };
  return watched;
}

const standing = ({ events }: Watched): readonly Notice[] | undefined => events.at(-1)?.standing;
const said = ({ log }: Watched, text: string) => log.lines.filter(({ message }) => message.includes(text));
const listening = (w: Watched) =>
  until(() => said(w, 'waits until its jobs are saved').length > 0, { what: 'the monitor to listen' });
const announced = (w: Watched) =>
  until(() => standing(w)?.[0], { what: 'the notice', details: () => JSON.stringify(w.log.lines) });

test('a shutdown is a termination with logind’s own limit as its deadline, until it is taken back', async () => {
  const w = watch();
  await listening(w);
  expect(standing(w)).toEqual([]);
  const before = Date.now();
  await logind.prepare(true);
  const notice = await announced(w);
  expect(notice).toEqual({
    id: expect.stringMatching(/^[0-9a-f]{16}$/),
    source: 'logind',
    kind: 'termination',
    deadline: expect.any(Number),
    reason: 'this host shuts down',
    dryRun: false,
  });
  expect(notice.deadline! - DELAY_MS).toBeGreaterThanOrEqual(before);
  expect(notice.deadline! - DELAY_MS).toBeLessThanOrEqual(Date.now());
  expect(await logind.held()).toBe(true);
  await logind.prepare(false);
  await until(() => standing(w)?.length === 0, { what: 'the withdrawal' });
});

test('the shutdown waits until that very notice is approved, and the notice stands on', async () => {
  const w = watch();
  await listening(w);
  await logind.prepare(true);
  const notice = await announced(w);
  w.source.approve?.('0123456789abcdef');
  expect(await logind.held()).toBe(true);
  // As long as a shutdown is under way, logind grants no other inhibitor.
  await logind.set('refusing');
  w.source.approve?.(notice.id);
  await until(async () => !(await logind.held()), { what: 'the inhibitor to be let go' });
  expect(standing(w)).toEqual([notice]);
  expect(said(w, 'cannot be read')).toEqual([]);

  await logind.state(false);
  await until(() => standing(w)?.length === 0, { what: 'the withdrawal' });
  await logind.set('refusing', false);
  await until(() => logind.held(), { what: 'another inhibitor' });
  expect(await logind.inhibitors()).toHaveLength(2);
});

test('nothing is held back past the deadline', async () => {
  const w = watch();
  await listening(w);
  const before = Date.now();
  await logind.prepare(true, '400000');
  await announced(w);
  expect(await logind.held()).toBe(true);
  await until(async () => !(await logind.held()), { what: 'the inhibitor to be let go', everyMs: 10 });
  expect(Date.now() - before).toBeGreaterThanOrEqual(400);
});

test('the notice of one boot is one notice, also for the next process; that of another boot is another', async () => {
  const ids: string[] = [];
  for (const boot of ['first', 'first', 'second']) {
    await writeFile(logind.bootIdFile, `${boot}\n`);
    await logind.state(true);
    const w = watch();
    ids.push((await announced(w)).id);
    await w.stop();
  }
  expect(ids[1]).toBe(ids[0]);
  expect(ids[2]).not.toBe(ids[0]);
});

test('a child that dies is replaced, and what was announced meanwhile is seen', async () => {
  const w = watch();
  await listening(w);
  const [pid] = await logind.inhibitors();
  await logind.state(true);
  process.kill(pid!, 'SIGKILL');
  await announced(w);
  expect(said(w, 'cannot be read')).toHaveLength(1);
  expect(JSON.stringify(said(w, 'cannot be read'))).toContain('SIGKILL');
  await logind.prepare(false);
  await until(() => standing(w)?.length === 0, { what: 'the withdrawal' });
  await until(() => said(w, 'can be read again').length === 1, { what: 'the line that it is back' });
});

test('logind that falls silent after its signal is believed all the same', async () => {
  const w = watch();
  await listening(w);
  await logind.set('silent');
  await logind.signal(true);
  const { deadline } = await announced(w);
  expect(deadline! - Date.now()).toBeGreaterThan(0);
  expect(deadline! - Date.now()).toBeLessThanOrEqual(DELAY_MS);
});

test('a limit of infinity is no deadline', async () => {
  const w = watch();
  await listening(w);
  await logind.prepare(true, '18446744073709551615');
  expect(await announced(w)).toMatchObject({ deadline: null });
});

test('where there is no logind, it says so once in the debug log and costs nothing any more', async () => {
  await rm(join(logind.bin, 'busctl'));
  const clock = new ManualClock();
  const w = watch(clock);
  for (const pause of [1_000, 2_000, 4_000]) {
    await clock.whenSleeping();
    expect(clock.nextAt() - clock.now()).toBe(pause);
    clock.advance(pause);
  }
  await w.done;
  expect(w.events).toEqual([]);
  expect(w.log.lines.map(({ level }) => level)).toEqual(['debug']);
  expect(await logind.inhibitors()).toEqual([]);
});

test('logind that is only late is waited for', async () => {
  await logind.set('silent');
  const clock = new ManualClock();
  const w = watch(clock);
  await clock.whenSleeping();
  await logind.set('silent', false);
  clock.advance(1_000);
  await until(() => standing(w)?.length === 0, { what: 'the first look' });
});

test('a monitor that sees nothing is replaced, with longer and longer pauses', async () => {
  await logind.set('deaf');
  const clock = new ManualClock();
  const w = watch(clock);
  const pauses: number[] = [];
  while (pauses.length < 3) {
    await clock.whenSleeping();
    const pause = clock.nextAt() - clock.now();
    if (pause !== 250) pauses.push(pause);
    clock.advance(pause);
  }
  expect(pauses).toEqual([500, 1_000, 2_000]);
  expect(said(w, 'cannot be read')).toHaveLength(1);
  expect(JSON.stringify(w.log.lines)).toContain('does not see what goes over the bus');
});

test('nonsense on the bus is nothing', async () => {
  const w = watch();
  await listening(w);
  for (const line of ['', '{', 'null', '[]', '"x"', '{"type":"signal"}', `{"x":"${'y'.repeat(100_000)}`]) {
    await logind.say(line);
  }
  await logind.signal('true');
  await logind.prepare(true);
  await announced(w);
  expect(w.events.flatMap((event) => event.standing)).toHaveLength(1);
});

test.each([
  ['b true\nt 5000000\n', { preparing: true, delayMs: 5_000 }],
  ['b false\nt 0\n', { preparing: false, delayMs: 0 }],
  ['b false\nt 86400000001000\n', { preparing: false, delayMs: null }],
])('logind’s answer %j', (text, state) => {
  expect(readState({ ok: true, stdout: Buffer.from(text) })).toEqual(state);
});

test.each(['', 'b true\n', 'b maybe\nt 5\n', 'b true\nt -5\n', 'b true\nt 5\nb true\n', 's "<html>"\n'])(
  'an answer that is none: %j',
  (text) => {
    expect(readState({ ok: true, stdout: Buffer.from(text) })).toMatch(/something else/);
  },
);

test('only what the bus knows to come from logind is listened to', () => {
  const [signal] = inhibitingMonitor('/usr/bin').args.filter((arg) => arg.includes("type='signal'"));
  expect(signal).toContain("sender='org.freedesktop.login1'");
});

test.each([
  ['{"type":"method_call","member":"Get"}', 'question'],
  [
    '{"type":"signal","member":"PrepareForShutdown","payload":{"type":"b","data":[true]}}',
    { preparing: true },
  ],
  ['{"type":"signal","member":"PrepareForSleep","payload":{"type":"b","data":[true]}}', null],
  ['{"type":"signal","member":"PrepareForShutdown","payload":null}', null],
  ['{"type":"signal","member":"PrepareForShutdown","payload":{"data":[1]}}', null],
  ['7', null],
])('the line %s', (line, read) => {
  expect(readLine(line)).toEqual(read);
});
