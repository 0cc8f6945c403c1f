import type { JobRow } from '../../slurm/job-row.ts';
import { readUsersJobs, usersJobsCommand } from '../../slurm/users-jobs.ts';
import type { EpochMs, JobId } from '../../vocabulary/job.ts';
import { isEnding } from '../../vocabulary/slurm-states.ts';
import type { Acting } from './acting.ts';

/** What a restore without an answer should have produced. */
export interface Sought {
  readonly jobId: JobId;
  readonly restarts: number;
  /** The job's owner and name, in case Slurm has forgotten it; null if unknown. */
  readonly owner: Owner | null;
  /** When the restore was sent. */
  readonly since: EpochMs;
}

export interface Owner {
  readonly uid: number;
  readonly name: string;
}

export type Restored =
  /** The job was requeued, or a later job has its owner and its name. */
  | {
      readonly type: 'happened';
      readonly how: 'new-job' | 'requeued';
      readonly jobId: JobId;
      readonly state: string;
    }
  /** No new job; `state` is the old run's, `ABSENT` if Slurm has forgotten it. */
  | { readonly type: 'not-yet'; readonly state: string }
  /** Slurm does not answer. */
  | { readonly type: 'unknown'; readonly message: string };

/**
 * Finds out whether the restore of a run happened: either the job is requeued, or it is over and a job of the same user
 * and name was submitted after the restore was sent. The second check lists all jobs of the user (JOB_USER_INFO), so it
 * is for a lost answer only.
 *
 * The old run is cancelled before the new job comes (facts/cedana-api.md). So while the run goes on, a newer job with
 * its name is another job: users give many jobs one name, and a drain restores all of them at once. If the run is over,
 * a job that its owner submitted under the same name meanwhile cannot be told from a restored one.
 */
export async function lookForRestored(
  acting: Acting,
  sought: Sought,
  signal?: AbortSignal,
): Promise<Restored> {
  const source = await acting.look(sought.jobId, signal);
  if (source.type === 'unavailable') return { type: 'unknown', message: source.message };
  const facts = source.type === 'job' ? source.facts : null;
  if (facts && facts.restarts > sought.restarts)
    return { type: 'happened', how: 'requeued', jobId: facts.jobId, state: facts.state };
  const owner = facts ?? sought.owner;
  const state = facts?.state ?? 'ABSENT';
  if (!owner) return { type: 'not-yet', state };
  const { exec, slurm } = acting;
  const listed = readUsersJobs(await exec.run(usersJobsCommand(slurm, owner.uid), signal), slurm.mark);
  if (listed.type === 'unavailable') return { type: 'unknown', message: listed.message };
  const { rows } = listed;
  // Newer than `facts`, and from the same moment as the other jobs of the list.
  const run = rows.find((row) => row.jobId === sought.jobId);
  if (facts && !run)
    return {
      type: 'unknown',
      message: `squeue does not list job ${facts.jobId} among those of uid ${owner.uid}`,
    };
  if (run && run.restarts === sought.restarts && !isEnding(run.state))
    return { type: 'not-yet', state: run.state };
  const successor = findSuccessor(rows, { ...sought, owner });
  return successor
    ? { type: 'happened', how: 'new-job', jobId: successor.jobId, state: successor.state }
    : { type: 'not-yet', state };
}

/** The first job of this owner and name that was submitted since; Slurm counts whole seconds. */
export function findSuccessor(
  rows: readonly JobRow[],
  sought: Sought & { readonly owner: Owner },
): JobRow | null {
  const since = Math.floor(sought.since / 1000) * 1000;
  const later = rows
    .filter((row) => row.jobId !== sought.jobId && row.submitAt >= since)
    .filter((row) => row.uid === sought.owner.uid && row.name === sought.owner.name)
    .sort((a, b) => a.submitAt - b.submitAt || a.jobId - b.jobId);
  return later[0] ?? null;
}
