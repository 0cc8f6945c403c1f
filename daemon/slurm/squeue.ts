import type { Command, CommandResult } from '../system/ports.ts';
import type { JobFacts, JobId } from '../vocabulary/job.ts';
import { failed, garbage, type SlurmCommands, type Unavailable } from './commands.ts';
import { JOB_FIELDS, type JobRow, readJobRow } from './job-row.ts';
import { formatOf, type Mark, splitRows } from './rows.ts';

/** Slurm's answer on one job. */
export type JobAnswer =
  | {
      readonly type: 'job';
      readonly facts: JobFacts;
      /**
       * The name of exactly this job for scancel and `scontrol update`. One task of an array has the array's own
       * number as its job id, and a plain number would act on the whole array. Null for the pending tasks of an
       * array, which share one record.
       */
      readonly target: string | null;
    }
  /** slurmctld knows no such job (never did, or forgot it `MinJobAge` after its end). */
  | { readonly type: 'absent' }
  | Unavailable;

/**
 * One job, by single-record RPCs (JOB_INFO_SINGLE and PARTITION_INFO). The format goes through the environment,
 * which other users cannot read, or they could learn the mark from the process list. `--all` also shows jobs of
 * hidden partitions, `-t all` also ended ones.
 */
export function jobCommand(slurm: SlurmCommands, jobId: JobId): Command {
  return {
    kind: 'squeue-job',
    file: slurm.path('squeue'),
    args: ['--local', '--all', '--noconvert', '-h', '-t', 'all', '-j', String(jobId)],
    env: { SQUEUE_FORMAT2: formatOf(JOB_FIELDS, slurm.mark) },
    timeoutMs: slurm.timeoutMs,
  };
}

/** Only slurmctld's explicit answer is an absence. No answer, a timeout or an unreadable answer never is. */
export function readJob(result: CommandResult, mark: Mark, jobId: JobId): JobAnswer {
  if (result.ok) return parseJob(result.stdout, mark, jobId);
  const absent = result.why === 'exit' && /Invalid job id specified/.test(result.stderr);
  return absent ? { type: 'absent' } : failed(result);
}

/**
 * `-j ID` also prints the components of a heterogeneous job when ID is its leader, and the other tasks of an
 * array when ID is the array's, in any order. The job itself is the row with its own id; where only its array's
 * other tasks are left, it is absent.
 */
export function parseJob(stdout: Buffer, mark: Mark, jobId: JobId): JobAnswer {
  return readJobRows(splitRows(stdout, mark, JOB_FIELDS.length), jobId);
}

/** As `parseJob`, of rows that begin with `JOB_FIELDS`; null for an answer that is not made of whole rows. */
export function readJobRows(texts: readonly (readonly string[])[] | null, jobId: JobId): JobAnswer {
  if (!texts) return garbage(`squeue's answer on job ${jobId} is not made of whole rows`);
  const rows: JobRow[] = [];
  for (const text of texts) {
    const row = readJobRow(text);
    if (typeof row === 'string') return garbage(`squeue's answer on job ${jobId}: ${row}`);
    if (row.jobId !== jobId && row.hetJobId !== jobId && row.arrayJobId !== jobId)
      return garbage(`squeue answered on job ${row.jobId} when asked for ${jobId}`);
    rows.push(row);
  }
  const own = rows.filter((row) => row.jobId === jobId);
  if (own.length > 1) return garbage(`squeue has job ${jobId} twice`);
  if (own[0]) return factsOf(own[0], rows);
  return rows.length > 0 ? { type: 'absent' } : garbage(`squeue has no row for job ${jobId}`);
}

function factsOf(own: JobRow, rows: readonly JobRow[]): JobAnswer {
  const { arrayJobId, arrayTask, ...facts } = own;
  const others = rows
    .filter((row) => row !== own && row.hetJobId === own.jobId)
    .sort((a, b) => a.jobId - b.jobId);
  const isComponent = own.hetJobId !== null && own.hetJobId !== own.jobId;
  return {
    type: 'job',
    facts: {
      ...facts,
      nodes: [...new Set([own, ...others].flatMap((row) => row.nodes))],
      cpus: [own, ...others].reduce((sum, row) => sum + row.cpus, 0),
      // Slurm names a batch host for every component, but the batch script runs on the leader's.
      batchHost: isComponent ? null : own.batchHost,
    },
    target:
      arrayTask === null ? String(own.jobId) : /^\d+$/.test(arrayTask) ? `${arrayJobId}_${arrayTask}` : null,
  };
}
