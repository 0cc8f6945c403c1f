import { backoff } from '../system/async/backoff.ts';
import { sleepUnlessWoken } from '../system/async/sleep.ts';
import { firstBeat, placeOf } from '../system/node-phase.ts';
import type { Clock, Command, CommandResult, Exec, Log } from '../system/ports.ts';
import type { Millis } from '../vocabulary/job.ts';
import { failed, garbage, type SlurmCommands, type Unavailable } from './commands.ts';

/** The part of slurm.conf that ckptd and its engine use. */
export interface SlurmConf {
  /** For example `24.11.5`. */
  readonly version: string;
  /** With `%n` and `%h` filled in. */
  readonly spoolDir: string;
  /** The time after which slurmctld declares a silent node dead; 0: never, null: unknown. */
  readonly slurmdTimeoutMs: Millis | null;
}

export interface NodeNames {
  /** The node's name in Slurm: `%n`. */
  readonly node: string;
  /** The machine's host name, cut at the first dot: `%h`. */
  readonly host: string;
}

export function confCommand(slurm: SlurmCommands): Command {
  return {
    kind: 'scontrol-config',
    file: slurm.path('scontrol'),
    args: ['show', 'config'],
    timeoutMs: slurm.timeoutMs,
  };
}

/** `scontrol show config`: lines of `Key = value`; the first of each key is slurm.conf's. */
export function readConf(
  result: CommandResult,
  names: NodeNames,
): { type: 'conf'; conf: SlurmConf } | Unavailable {
  if (!result.ok) return failed(result);
  const text = result.stdout.toString('utf8');
  const value = (key: string): string | undefined =>
    new RegExp(`^${key}\\s*= *(.*)$`, 'm').exec(text)?.[1]?.trim();
  const spoolDir = value('SlurmdSpoolDir');
  const version = value('SLURM_VERSION');
  const timeout = /^(\d+) sec/.exec(value('SlurmdTimeout') ?? '')?.[1];
  if (!spoolDir?.startsWith('/')) return garbage('scontrol show config names no SlurmdSpoolDir');
  if (!version) return garbage('scontrol show config names no SLURM_VERSION');
  return {
    type: 'conf',
    conf: {
      version,
      spoolDir: expand(spoolDir, names),
      slurmdTimeoutMs: timeout === undefined ? null : Number(timeout) * 1000,
    },
  };
}

function expand(path: string, { node, host }: NodeNames): string {
  return path.replace(/%[nh]/g, (pattern) => (pattern === '%n' ? node : host));
}

export interface LoadConf {
  readonly exec: Exec;
  readonly clock: Clock;
  readonly log: Log;
  readonly slurm: SlurmCommands;
  readonly names: NodeNames;
  readonly signal: AbortSignal;
  /** Aborted once something waits for the list of jobs. */
  readonly urgent: AbortSignal;
}

/**
 * Reads slurmctld's configuration, and retries while slurmctld is away, with pauses of up to a minute. Each node
 * retries at a time of its own, because a cluster that is switched on starts before its slurmctld. Rejects only with
 * the signal's reason.
 */
export async function loadConf(load: LoadConf): Promise<SlurmConf> {
  const { clock, signal, urgent } = load;
  const { node } = load.names;
  for (let failures = 0; ; failures++) {
    const read = readConf(await load.exec.run(confCommand(load.slurm), load.signal), load.names);
    if (read.type === 'conf') return read.conf;
    load.signal.throwIfAborted();
    if (failures === 0) {
      load.log.warn({ problem: read.message }, "Slurm's configuration cannot be read: retrying");
    }
    const pause = backoff(failures, placeOf(node));
    if (urgent.aborted) await clock.sleep(pause, signal);
    else {
      const now = clock.now();
      await sleepUnlessWoken(clock, Math.max(pause, firstBeat(node, 30_000, now) - now), urgent, signal);
    }
  }
}
