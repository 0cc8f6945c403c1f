import type { JobId } from '../../../vocabulary/job.ts';
import { codeOf } from '../../store-error.ts';
import { lstat } from './files.ts';
import { type Marks, namesIn } from './marks.ts';
import { type Places, readJobName } from './places.ts';

/** One look each: a search of so many jobs takes a second or two on a parallel file system. */
const MOST_JOBS = 100_000;
const AT_ONCE = 8;

/** Job folders, newest first: ids are counted up. */
export async function jobsIn(places: Places): Promise<JobId[]> {
  const jobs = (await namesIn(places.cluster)).map(readJobName).filter((jobId) => jobId !== null);
  return jobs.sort((a, b) => b - a);
}

/** The job that has a folder of this action id, this node's own jobs first; null where none of the newest has. */
export async function searchJob(
  places: Places,
  marks: Marks,
  node: string,
  actionId: string,
): Promise<JobId | null> {
  const own = await firstWith(places, await marks.of(node), actionId);
  return own ?? firstWith(places, (await jobsIn(places)).slice(0, MOST_JOBS), actionId);
}

async function firstWith(places: Places, jobs: readonly JobId[], actionId: string): Promise<JobId | null> {
  for (let start = 0; start < jobs.length; start += AT_ONCE) {
    const batch = jobs.slice(start, start + AT_ONCE);
    const there = await Promise.all(batch.map((jobId) => exists(places.checkpoint(jobId, actionId))));
    const index = there.indexOf(true);
    if (index >= 0) return batch[index] ?? null;
  }
  return null;
}

export async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(codeOf(error))) return false;
    throw error;
  }
}
