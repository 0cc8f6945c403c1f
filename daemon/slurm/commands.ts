import { join } from 'node:path';
import type { CommandResult } from '../system/ports.ts';
import type { Millis } from '../vocabulary/job.ts';
import { type Mark, newMark } from './rows.ts';

/** What every Slurm command line needs. */
export interface SlurmCommands {
  /** Path of one of Slurm's own programs. */
  path(program: 'squeue' | 'sinfo' | 'scontrol' | 'scancel'): string;
  readonly timeoutMs: Millis;
  readonly mark: Mark;
}

/**
 * `bin` is the folder of Slurm's programs. The timeout is for each command: while slurmctld is away, a client of Slurm
 * gives up by itself only after `MessageTimeout` (10 s) or longer.
 */
export function slurmCommands(bin: string, timeoutMs: Millis = 10_000, mark = newMark()): SlurmCommands {
  return { path: (program) => join(bin, program), timeoutMs, mark };
}

/** Slurm gave no answer, or one that cannot be read. */
export interface Unavailable {
  readonly type: 'unavailable';
  readonly message: string;
  /** It answered, but in an unknown form. */
  readonly garbage: boolean;
}

export const garbage = (message: string): Unavailable => ({ type: 'unavailable', message, garbage: true });

export function failed(result: Extract<CommandResult, { ok: false }>): Unavailable {
  const garbage = result.why === 'too-much-output' || result.why === 'signal';
  return { type: 'unavailable', message: result.message, garbage };
}

/** Slurm's job ids lie below 0x04000000 (`MAX_JOB_ID`); a federated one has the cluster in the bits above. */
export function isJobId(id: number): boolean {
  return Number.isInteger(id) && id > 0 && id < 0xffff_fffe;
}
