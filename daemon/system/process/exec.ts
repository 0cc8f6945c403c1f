import { existsSync } from 'node:fs';
import type { Millis } from '../../vocabulary/job.ts';
import type { Command, CommandResult, Exec } from '../ports.ts';
import { type CommandCounter, CommandCounters } from './command-counters.ts';
import { CommandQueue } from './command-queue.ts';
import { runChild } from './run-child.ts';

export interface SystemExecOptions {
  /**
   * `SLURM_CONF` for every command; default: Slurm's own search. Of `SLURM_CONF_DEFAULT` only where that file is: on a
   * configless node Slurm finds its configuration in /run/slurm/conf, unless this variable says otherwise.
   */
  readonly slurmConf?: string;
  /** How many commands of one kind may wait; further ones fail at once. */
  readonly longestQueue?: number;
  /** From SIGTERM to SIGKILL. */
  readonly killAfterMs?: Millis;
}

export interface SystemExec extends Exec {
  /** By kind, for `/metrics`. */
  counters(): ReadonlyMap<string, Readonly<CommandCounter>>;
}

const MEBIBYTE = 1024 * 1024;

/** Where Slurm looks first. */
export const SLURM_CONF_DEFAULT = '/etc/slurm/slurm.conf';

/**
 * Runs real commands in a clean environment: nothing of the daemon's (its token, `SQUEUE_*`, `SINFO_*`,
 * `SLURM_CLUSTERS`) reaches them, and Slurm prints times as epoch seconds. Time and output of a command are bounded,
 * and its whole process group is killed with it.
 */
export function systemExec(options: SystemExecOptions = {}): SystemExec {
  const queue = new CommandQueue(options.longestQueue ?? 64);
  const counters = new CommandCounters();
  const base: Record<string, string> = {
    PATH: '/usr/bin:/bin',
    LANG: 'C.UTF-8',
    LC_ALL: 'C',
    SLURM_TIME_FORMAT: '%s',
  };
  // Looked at anew each time: a node may get the file, or lose it, while this runs.
  const slurmConf = (): Record<string, string> => {
    const conf = options.slurmConf;
    if (conf === undefined || (conf === SLURM_CONF_DEFAULT && !existsSync(conf))) return {};
    return { SLURM_CONF: conf };
  };

  async function inLane(command: Command, signal: AbortSignal | undefined): Promise<CommandResult> {
    const turn = await queue.enter(command.kind, signal);
    if (turn === 'full') return notStarted(`too many commands of kind ${command.kind} are waiting`);
    if (turn === 'aborted') return notStarted('aborted before it was started');
    const startedAt = performance.now();
    try {
      const result = await runChild({
        file: command.file,
        args: command.args,
        env: { ...base, ...slurmConf(), ...command.env },
        timeoutMs: command.timeoutMs,
        killAfterMs: options.killAfterMs ?? 2_000,
        maxBytes: command.maxBytes ?? MEBIBYTE,
        stdin: command.stdin,
        output: command.output,
        signal,
      });
      counters.count(command.kind, result, performance.now() - startedAt);
      return result;
    } finally {
      queue.leave(command.kind);
    }
  }

  return { run: inLane, counters: () => counters.all() };
}

function notStarted(message: string): CommandResult {
  return { ok: false, why: 'aborted', exitCode: null, stdout: Buffer.alloc(0), stderr: '', message };
}
