import type { Command, CommandResult } from '../system/ports.ts';
import type { JobId } from '../vocabulary/job.ts';
import { failed, garbage, type SlurmCommands, type Unavailable } from './commands.ts';
import { readHost, readId, readIdOrNone, readWord } from './fields.ts';
import { formatOf, type Mark, splitRows } from './rows.ts';

/** A job that has a part on this node, as far as the reconcile needs it. */
export interface JobBrief {
  readonly jobId: JobId;
  readonly restarts: number;
  readonly state: string;
  readonly batchHost: string | null;
  readonly hetJobId: JobId | null;
}

export type JobListAnswer = { readonly type: 'jobs'; readonly jobs: readonly JobBrief[] } | Unavailable;

const FIELDS = ['JobID', 'RestartCnt', 'State', 'HetJobID', 'BatchHost'] as const;

/**
 * Every job with a part on `node`. It costs slurmctld its whole node and job tables (`-w` is a filter of the
 * client's), so it is only for a node whose sockets cannot be read. No field is text of a user's.
 */
export function allCommand(slurm: SlurmCommands, node: string): Command {
  return {
    kind: 'squeue-all',
    file: slurm.path('squeue'),
    args: ['--local', '--all', '-h', '-w', node, '-O', formatOf(FIELDS, slurm.mark)],
    timeoutMs: 3 * slurm.timeoutMs,
  };
}

export function readAll(result: CommandResult, mark: Mark): JobListAnswer {
  if (!result.ok) return failed(result);
  const rows = splitRows(result.stdout, mark, FIELDS.length);
  if (!rows) return garbage("squeue's answer is not made of whole rows");
  const jobs: JobBrief[] = [];
  for (const [id = '', restartCount = '', word = '', het = '', host = ''] of rows) {
    const jobId = readId(id);
    const restarts = readId(restartCount);
    const state = readWord(word);
    const hetJobId = readIdOrNone(het);
    const batchHost = readHost(host);
    if (jobId === undefined || restarts === undefined || state === undefined)
      return garbage('a row of squeue cannot be read');
    if (hetJobId === undefined || batchHost === undefined) return garbage('a row of squeue cannot be read');
    jobs.push({ jobId, restarts, state, hetJobId, batchHost });
  }
  return { type: 'jobs', jobs };
}
