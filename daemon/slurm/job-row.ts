import type { JobFacts, JobId } from '../vocabulary/job.ts';
import {
  readCount,
  readFlag,
  readHost,
  readId,
  readIdOrNone,
  readText,
  readTime,
  readWord,
} from './fields.ts';
import { expandHostlist } from './hostlist.ts';

/** The fields of each job: Slurm's own values first, then text of an admin's, the user's own text last. */
export const JOB_FIELDS = [
  'JobID',
  'ArrayJobID',
  'ArrayTaskID',
  'HetJobID',
  'UserID',
  'State',
  'RestartCnt',
  'Requeue',
  'NumCPUs',
  'StartTime',
  'SubmitTime',
  'NodeList',
  'BatchHost',
  'Partition',
  'QOS',
  'UserName',
  'Account',
  'Name',
] as const;

/** One row: facts of one job, or of one component of a heterogeneous job. */
export interface JobRow extends JobFacts {
  /** The job's own id where it is no array. */
  readonly arrayJobId: JobId;
  /** A task's number, or the numbers of the tasks that still wait (`2-3%1`); null where there is no array. */
  readonly arrayTask: string | null;
}

/** The row, or the name of the field that no Slurm prints in this form. */
export function readJobRow(texts: readonly string[]): JobRow | string {
  const text = (field: (typeof JOB_FIELDS)[number]): string => texts[JOB_FIELDS.indexOf(field)] ?? '';
  const nodes = expandHostlist(readText(text('NodeList')));
  const state = readWord(text('State'));
  const startAt = readTime(text('StartTime'));
  const arrayTask = text('ArrayTaskID');
  const row = {
    jobId: readId(text('JobID')),
    arrayJobId: readId(text('ArrayJobID')),
    arrayTask: arrayTask === 'N/A' ? null : /^[\d,:%.-]+$/.test(arrayTask) ? arrayTask : undefined,
    hetJobId: readIdOrNone(text('HetJobID')),
    uid: readId(text('UserID')),
    state,
    restarts: readId(text('RestartCnt')),
    requeue: readFlag(text('Requeue')),
    cpus: readCount(text('NumCPUs')),
    // A pending job's start is a guess of the scheduler's.
    startAt: state === 'PENDING' && startAt !== undefined ? null : startAt,
    submitAt: readTime(text('SubmitTime')) ?? undefined,
    nodes: nodes.ok ? nodes.hosts : undefined,
    batchHost: readHost(text('BatchHost')),
    partition: readText(text('Partition')),
    qos: readText(text('QOS')),
    user: readText(text('UserName')),
    account: readText(text('Account')),
    name: readText(text('Name')),
  };
  const bad = Object.entries(row).find(([, value]) => value === undefined);
  return bad ? `${bad[0]} cannot be read` : (row as JobRow);
}
