import type { Command, CommandResult } from '../system/ports.ts';
import { failed, garbage, type SlurmCommands, type Unavailable } from './commands.ts';
import { JOB_FIELDS, type JobRow, readJobRow } from './job-row.ts';
import { formatOf, type Mark, splitRows } from './rows.ts';

export type UsersJobs = { readonly type: 'jobs'; readonly rows: readonly JobRow[] } | Unavailable;

/** All jobs of one user: JOB_USER_INFO and PARTITION_INFO. */
export function usersJobsCommand(slurm: SlurmCommands, uid: number): Command {
  return {
    kind: 'squeue-user',
    file: slurm.path('squeue'),
    args: ['--local', '--all', '--noconvert', '-h', '-t', 'all', '-u', String(uid)],
    env: { SQUEUE_FORMAT2: formatOf(JOB_FIELDS, slurm.mark) },
    timeoutMs: 3 * slurm.timeoutMs,
    maxBytes: 64 * 1024 * 1024,
  };
}

/** squeue lists nothing, and exits with 0, for a user whom this machine does not know. */
export function readUsersJobs(result: CommandResult, mark: Mark): UsersJobs {
  if (!result.ok) return failed(result);
  const rows = splitRows(result.stdout, mark, JOB_FIELDS.length)?.map(readJobRow);
  if (!rows?.every((row) => typeof row !== 'string'))
    return garbage("squeue's list of a user's jobs cannot be read");
  return { type: 'jobs', rows };
}
