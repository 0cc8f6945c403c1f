import { isAbsolute, join } from 'node:path';

/** What fills the patterns in a batch job's `--output` and `--error`. */
export interface OutputNames {
  readonly jobId: number;
  readonly arrayJobId: number;
  /** A task's number, or null where there is no array. */
  readonly arrayTask: number | null;
  readonly name: string;
  readonly user: string;
  /** Short name of the batch host. */
  readonly node: string;
  readonly workDir: string;
}

/** `NO_VAL`, which slurmstepd prints for the task of a job that is no array. */
const NO_TASK = 0xffff_fffe;
const WIDEST = 10;

/**
 * The file that slurmstepd opens for this pattern in a batch step, absolute; null where it is no file of the
 * job's (`/dev/null`, `none`). squeue prints patterns as the user wrote them, and `scontrol show job` leaves some
 * as they are. The rules are those of `fname_create` in Slurm's slurmstepd, tried with 24.11: a backslash
 * anywhere turns all patterns off and is itself dropped, `%5j` pads with zeros, an unknown pattern stays.
 */
export function outputFile(pattern: string, names: OutputNames): string | null {
  if (/^none$/i.test(pattern) || pattern === '' || pattern === '/dev/null') return null;
  const expanded = pattern.includes('\\') ? pattern.replace(/\\(.?)/gs, '$1') : expand(pattern, names);
  if (expanded === '/dev/null' || expanded.includes('\0')) return null;
  return isAbsolute(expanded) ? expanded : join(names.workDir, expanded);
}

function expand(pattern: string, names: OutputNames): string {
  return pattern.replace(/%(%|(\d*)([aAbJjNnstux]))/g, (_, all: string, width = '', letter = '') =>
    all === '%' ? '%' : value(letter, Math.min(Number(width), WIDEST), names),
  );
}

function value(letter: string, width: number, names: OutputNames): string {
  const number = (n: number) => String(n).padStart(width, '0');
  const task = names.arrayTask ?? NO_TASK;
  switch (letter) {
    case 'a':
      return number(task);
    case 'A':
      return number(names.arrayJobId);
    case 'b':
      return number(task % 10);
    case 'J':
    case 'j':
      return number(names.jobId);
    case 'N':
      return names.node;
    case 's':
      return 'batch';
    case 'u':
      return names.user;
    case 'x':
      return names.name;
    default:
      // The node's and the task's place in the step.
      return number(0);
  }
}
