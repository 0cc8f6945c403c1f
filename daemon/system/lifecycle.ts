import { constants } from 'node:os';
import type { Millis } from '../vocabulary/job.ts';
import type { Log } from './ports.ts';

/** The lifetime of a running program. */
export interface Life {
  /** Aborts at the first SIGTERM or SIGINT, with a StopRequest as its reason. */
  readonly signal: AbortSignal;
  /** Unwound last-in first-out after `main` returned or threw. */
  readonly resources: AsyncDisposableStack;
  /** Called at SIGHUP, one call at a time. SIGHUPs during a call lead to one more call. Errors are logged. */
  onReload(reload: () => Promise<void> | void): void;
}

/** The program ends because of a signal. */
export class StopRequest extends Error {
  override readonly name = 'StopRequest';
  readonly signalName: NodeJS.Signals;

  constructor(signalName: NodeJS.Signals) {
    super(`stopped by ${signalName}`);
    this.signalName = signalName;
  }
}

// biome-ignore lint/suspicious/noExplicitAny: as in EventEmitter, each event has arguments of its own.
type Listener = (...args: any[]) => void;

/** The part of `process` that this file uses. */
export interface ProcessPort {
  on(event: string, listener: Listener): unknown;
  off(event: string, listener: Listener): unknown;
  exit(code: number): void;
}

export interface LifecycleOptions {
  readonly log: Log;
  /** From the first signal (or the end of `main`) to the exit; below the unit's TimeoutStopSec. */
  readonly stopWithinMs: Millis;
  readonly process?: ProcessPort;
  /** The exit code for what `main` threw; 1 by default. */
  readonly exitCode?: (error: unknown) => number;
}

/**
 * Runs `main` and returns the exit code: 0 after a graceful stop. It exits at once for a second signal (128 + its
 * number), for a stop past its deadline (1), and for an uncaught exception (1). After an exception the memory cannot be
 * trusted, but the journal can, and systemd restarts the daemon.
 */
export async function lifecycle(
  options: LifecycleOptions,
  main: (life: Life) => Promise<void>,
): Promise<number> {
  const { log, stopWithinMs } = options;
  const here: ProcessPort = options.process ?? process;
  const stop = new AbortController();
  const resources = new AsyncDisposableStack();
  let deadline: NodeJS.Timeout | undefined;

  const startDeadline = () => {
    deadline ??= setTimeout(() => {
      log.error({ within_ms: stopWithinMs }, 'the stop takes too long: exiting with work unfinished');
      here.exit(1);
    }, stopWithinMs);
  };
  const onStop = (name: NodeJS.Signals) => {
    if (stop.signal.aborted) {
      log.warn({ signal: name }, 'second signal: exiting at once');
      here.exit(128 + constants.signals[name]);
      return;
    }
    log.info({ signal: name }, 'stopping');
    startDeadline();
    stop.abort(new StopRequest(name));
  };
  const onUncaught = (error: unknown, origin: string) => {
    log.fatal({ err: error, origin }, 'an error that nobody caught: exiting, to be started again');
    here.exit(1);
  };
  const { hup, onReload } = reloads(log, stop.signal);

  const listeners: readonly [string, Listener][] = [
    ['SIGTERM', onStop],
    ['SIGINT', onStop],
    ['SIGHUP', hup],
    // Unhandled rejections come here too, by Node's default.
    ['uncaughtException', onUncaught],
  ];
  for (const [event, listener] of listeners) here.on(event, listener);
  try {
    const errors: unknown[] = [];
    await main({ signal: stop.signal, resources, onReload }).catch((error: unknown) => errors.push(error));
    startDeadline();
    await resources.disposeAsync().catch((error: unknown) => errors.push(error));
    const failures = errors.filter((error) => !isStop(error, stop.signal));
    for (const error of failures)
      log.fatal({ err: error }, error instanceof Error ? error.message : String(error));
    return failures.length === 0 ? 0 : (options.exitCode?.(failures[0]) ?? 1);
  } finally {
    clearTimeout(deadline);
    for (const [event, listener] of listeners) here.off(event, listener);
  }
}

/** Work that was told to stop may throw the reason: that is no failure. */
function isStop(error: unknown, signal: AbortSignal): boolean {
  if (!signal.aborted) return false;
  return error === signal.reason || (error instanceof Error && error.name === 'AbortError');
}

function reloads(log: Log, signal: AbortSignal) {
  let reload: (() => Promise<void> | void) | null = null;
  let wanted = false;
  let running = false;

  async function run(): Promise<void> {
    if (running) return;
    running = true;
    while (wanted && !signal.aborted) {
      wanted = false;
      try {
        await reload?.();
      } catch (error) {
        log.error({ err: error }, 'the reload failed: the daemon goes on as it was');
      }
    }
    running = false;
  }
  return {
    hup: () => {
      wanted = true;
      void run();
    },
    onReload: (callback: () => Promise<void> | void) => {
      reload = callback;
    },
  };
}
