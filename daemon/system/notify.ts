import type { Millis } from '../vocabulary/job.ts';
import type { Clock, Exec, Log } from './ports.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Messages to systemd (sd_notify(3)). Each resolves once systemd has received it or could not be reached: a supervisor
 * that does not listen is no reason to stop.
 */
export interface Notify {
  /** The start, or a reload, is done. */
  ready(status?: string): Promise<void>;
  /** A sentence for `systemctl status`; the same one again costs nothing. */
  status(text: string): Promise<void>;
  reloading(): Promise<void>;
  stopping(status?: string): Promise<void>;
  /** The watchdog's ping. */
  alive(): Promise<void>;
}

export interface NotifyOptions {
  readonly exec: Exec;
  readonly log: Log;
  readonly env?: Environment;
  /** `systemd-notify` of the machine. */
  readonly file?: string;
  /** CLOCK_MONOTONIC in microseconds. */
  readonly monotonicUsec?: () => bigint;
}

const LONGEST_STATUS = 200;
/** systemd-notify itself waits 5 s for systemd to have read the message. */
const TIMEOUT: Millis = 6_000;

/**
 * Node has no Unix datagram socket, so systemd-notify(1) speaks for the daemon; the unit needs NotifyAccess=all.
 * Every variable goes as `NAME=value`: `--reloading` and `--stopping` are younger than systemd 252. `--pid` is
 * left out, so that MAINPID stays what systemd knows it to be.
 * Without `$NOTIFY_SOCKET` nothing is run.
 */
export function systemdNotify(options: NotifyOptions): Notify {
  const socket = (options.env ?? process.env)['NOTIFY_SOCKET'];
  const monotonicUsec = options.monotonicUsec ?? (() => process.hrtime.bigint() / 1_000n);
  let shown = '';
  let reached = true;

  async function send(...variables: string[]): Promise<void> {
    if (!socket) return;
    const result = await options.exec.run({
      kind: 'systemd-notify',
      file: options.file ?? '/usr/bin/systemd-notify',
      args: variables,
      timeoutMs: TIMEOUT,
      env: { NOTIFY_SOCKET: socket },
    });
    if (result.ok === reached) return;
    reached = result.ok;
    if (result.ok) options.log.info({}, 'systemd can be notified again');
    else options.log.warn({ why: result.why, error: result.message }, 'systemd could not be notified');
  }
  const withStatus = (variable: string, status?: string) => {
    if (status === undefined) return send(variable);
    shown = statusLine(status);
    return send(variable, `STATUS=${shown}`);
  };

  return {
    ready: (status) => withStatus('READY=1', status),
    stopping: (status) => withStatus('STOPPING=1', status),
    // MONOTONIC_USEC is for Type=notify-reload (253 and later); older ones ignore it.
    reloading: () => send('RELOADING=1', `MONOTONIC_USEC=${monotonicUsec()}`),
    alive: () => send('WATCHDOG=1'),
    async status(text) {
      const line = statusLine(text);
      if (line === shown) return;
      shown = line;
      await send(`STATUS=${line}`);
    },
  };
}

/** One line of valid Unicode; a newline would begin a variable of its own. */
function statusLine(text: string): string {
  const line = text
    .toWellFormed()
    .replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]+/g, ' ')
    .trim();
  const characters = [...line];
  return characters.length > LONGEST_STATUS ? `${characters.slice(0, LONGEST_STATUS - 1).join('')}…` : line;
}

/** The watchdog's time in microseconds; null if systemd wants no ping of this process. */
export function watchdogUsec(env: Environment = process.env, pid = process.pid): number | null {
  const usec = Number(env['WATCHDOG_USEC']);
  const meant = env['WATCHDOG_PID'];
  if (!Number.isSafeInteger(usec) || usec <= 0) return null;
  return meant === undefined || Number(meant) === pid ? usec : null;
}

export interface Watchdog {
  readonly notify: Notify;
  readonly clock: Clock;
  readonly log: Log;
  readonly usec: number | null;
  /** True if the daemon's loop has worked since the last call. A running timer proves only that Node runs. */
  readonly turned: () => boolean;
}

/**
 * Pings three times within the watchdog's time while the loop works; returns when the signal aborts. If the loop hangs,
 * there is no ping, and systemd restarts the daemon.
 */
export async function feedWatchdog(watchdog: Watchdog, signal: AbortSignal): Promise<void> {
  if (watchdog.usec === null) return;
  const every: Millis = Math.max(1, Math.floor(watchdog.usec / 3_000));
  while (!signal.aborted) {
    if (watchdog.turned()) await watchdog.notify.alive();
    else
      watchdog.log.warn(
        { every_ms: every },
        'the loop has handled no event since the last ping of the watchdog',
      );
    await watchdog.clock.sleep(every, signal).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }
}
