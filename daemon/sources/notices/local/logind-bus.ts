import type { Command, CommandResult } from '../../../system/ports.ts';
import type { FollowedProgram } from '../../../system/process/follow-lines.ts';
import type { Millis } from '../../../vocabulary/job.ts';

const NAME = 'org.freedesktop.login1';
const PATH = '/org/freedesktop/login1';
const INTERFACE = 'org.freedesktop.login1.Manager';
/** A part of the five seconds that a shutdown waits by systemd's default. */
const TIMEOUT: Millis = 1_000;
/** A higher limit counts as none (`InhibitDelayMaxSec=infinity`). */
const LONGEST_DELAY: Millis = 86_400_000;

/** logind's own state (org.freedesktop.login1(5)). */
export interface LogindState {
  /** A shutdown is delayed by inhibitors, or under way. */
  readonly preparing: boolean;
  /** How long logind waits for a delay inhibitor; null: without a limit. */
  readonly delayMs: Millis | null;
}

/** The command that reads a LogindState; it takes some 8 ms. `bin` holds systemd's programs. */
export function stateCommand(bin: string): Command {
  return {
    kind: 'busctl',
    file: `${bin}/busctl`,
    args: ['get-property', NAME, PATH, INTERFACE, 'PreparingForShutdown', 'InhibitDelayMaxUSec'],
    timeoutMs: TIMEOUT,
    maxBytes: 4_096,
  };
}

/** @returns the problem, in words, if the answer cannot be read. */
export function readState(result: CommandResult): LogindState | string {
  if (!result.ok) return result.message;
  const answer = /^b (true|false)\nt (\d{1,20})\n$/.exec(result.stdout.toString('latin1'));
  if (answer === null) return 'busctl printed something else than the two properties of systemd-logind';
  const delayMs = Math.floor(Number(answer[2]) / 1_000);
  return { preparing: answer[1] === 'true', delayMs: delayMs > LONGEST_DELAY ? null : delayMs };
}

/**
 * The command that holds the delay inhibitor while it runs, and prints logind's signals, one JSON text per line. The
 * match names the `sender`, which the bus verifies: without it every user of the host could forge a signal.
 *
 * The monitor does not say when it begins to listen, so it also listens to our own query of the state. Once it has
 * printed that query, no later signal can be missed.
 */
export function inhibitingMonitor(bin: string): FollowedProgram {
  const at = `path='${PATH}'`;
  const signal = `type='signal',sender='${NAME}',${at},interface='${INTERFACE}',member='PrepareForShutdown'`;
  const get = `interface='org.freedesktop.DBus.Properties',member='Get',arg1='PreparingForShutdown'`;
  return {
    file: `${bin}/systemd-inhibit`,
    args: [
      '--what=shutdown',
      '--mode=delay',
      '--who=ckptd',
      '--why=The jobs of this node are saved first',
      `${bin}/busctl`,
      'monitor',
      '--json=short',
      `--match=${signal}`,
      `--match=type='method_call',${at},${get}`,
    ],
  };
}

/** Reads one line of the monitor; null for anything else. */
export function readLine(line: string): 'question' | { readonly preparing: boolean } | null {
  let message: { type?: unknown; member?: unknown; payload?: { data?: unknown } } | null;
  try {
    message = JSON.parse(line);
  } catch {
    return null;
  }
  if (message?.type === 'method_call') return 'question';
  if (message?.type !== 'signal' || message.member !== 'PrepareForShutdown') return null;
  const data = message.payload?.data;
  const preparing: unknown = Array.isArray(data) ? data[0] : null;
  return typeof preparing === 'boolean' ? { preparing } : null;
}
