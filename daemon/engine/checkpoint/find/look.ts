import { failed, isJobId, type SlurmCommands, type Unavailable } from '../../../slurm/commands.ts';
import { readId, readText } from '../../../slurm/fields.ts';
import { JOB_FIELDS } from '../../../slurm/job-row.ts';
import { formatOf, splitRows } from '../../../slurm/rows.ts';
import { jobCommand, readJobRows } from '../../../slurm/squeue.ts';
import type { CommandResult, Exec } from '../../../system/ports.ts';
import type { JobFacts, JobId } from '../../../vocabulary/job.ts';
import { outputFile } from './output.ts';

/** What the engine asks of Slurm on one job. */
export type BatchLook =
  | {
      readonly type: 'job';
      readonly facts: JobFacts;
      /** What names this job alone to scontrol; null for the tasks of an array that share a record. */
      readonly target: string | null;
      /** StdOut and StdErr, absolute, each once; only what is a file of the job's. */
      readonly output: readonly string[];
    }
  | { readonly type: 'absent' }
  | Unavailable;

/** Behind the facts of every job: what the user chose freely comes last. */
const FIELDS = [...JOB_FIELDS, 'WorkDir', 'StdOut', 'StdErr'] as const;

/** One job by single-record RPCs; no answer is kept. */
export async function lookAtBatch(
  { exec, slurm }: { readonly exec: Exec; readonly slurm: SlurmCommands },
  jobId: JobId,
  signal?: AbortSignal,
): Promise<BatchLook> {
  if (!isJobId(jobId)) return { type: 'absent' };
  const command = {
    ...jobCommand(slurm, jobId),
    env: { SQUEUE_FORMAT2: formatOf(FIELDS, slurm.mark) },
  };
  return readBatch(await exec.run(command, signal), slurm, jobId);
}

/** squeue's answer. Only slurmctld's own word is an absence. */
export function readBatch(result: CommandResult, slurm: SlurmCommands, jobId: JobId): BatchLook {
  if (!result.ok) {
    const absent = result.why === 'exit' && /Invalid job id specified/.test(result.stderr);
    return absent ? { type: 'absent' } : failed(result);
  }
  const rows = splitRows(result.stdout, slurm.mark, FIELDS.length);
  const look = readJobRows(rows, jobId);
  if (look.type !== 'job') return look;
  const row = rows!.find((texts) => readId(texts[0]!) === jobId)!;
  return { ...look, output: outputOf(row, look.facts) };
}

function outputOf(row: readonly string[], facts: JobFacts): string[] {
  const text = (field: (typeof FIELDS)[number]) => readText(row[FIELDS.indexOf(field)] ?? '');
  const task = text('ArrayTaskID');
  const names = {
    jobId: facts.jobId,
    arrayJobId: readId(text('ArrayJobID')) ?? facts.jobId,
    arrayTask: /^\d{1,10}$/.test(task) ? Number(task) : null,
    name: facts.name,
    user: facts.user,
    node: (facts.batchHost ?? '').split('.')[0]!,
    workDir: text('WorkDir'),
  };
  const patterns = [text('StdOut'), text('StdErr')].filter((pattern) => pattern !== '');
  const files = patterns.map((pattern) => outputFile(pattern, names));
  return [...new Set(files.filter((file) => file !== null))];
}
