import type { JobId } from '../../vocabulary/job.ts';
import type { Found } from '../ports.ts';
import { StoreError } from '../store-error.ts';
import { readCheckpoint } from './checkpoint.ts';
import { attempt, guardJob, type StoreContext } from './fs/context.ts';
import { namesIn } from './fs/marks.ts';
import { isActionId } from './fs/places.ts';
import { exists, searchJob } from './fs/search.ts';

/** The job that a checkpoint belongs to, whether or not it can be used; null where nobody has it. @throws StoreError */
export async function locate(store: StoreContext, actionId: string): Promise<JobId | null> {
  if (!(await guardJob(store, null))) return null;
  const { places, marks, node, jobs } = store;
  return attempt('cannot search', places.cluster, async () => {
    const seen = jobs.get(actionId);
    if (seen !== undefined && (await exists(places.checkpoint(seen, actionId)))) return seen;
    const found = await searchJob(places, marks, node, actionId);
    if (found !== null) jobs.set(actionId, found);
    return found;
  });
}

/** Null: no such checkpoint. @throws StoreError for one that cannot be used. */
export async function find(
  store: StoreContext,
  actionId: string,
  jobId: JobId | null,
): Promise<Found | null> {
  const of = jobId ?? (await locate(store, actionId));
  if (of === null || !(await guardJob(store, of))) return null;
  return readCheckpoint(store.places, store.clusterId, of, actionId);
}

/** Newest first. What cannot be used is said once, and left out. @throws StoreError */
export async function ofJob(store: StoreContext, jobId: JobId): Promise<readonly Found[]> {
  if (!(await guardJob(store, jobId))) return [];
  const { places, clusterId, jobs, log, refused } = store;
  const folder = places.job(jobId);
  const names = await attempt('cannot read', folder, () => namesIn(folder));
  const all: Found[] = [];
  for (const actionId of names.filter(isActionId)) {
    try {
      const found = await readCheckpoint(places, clusterId, jobId, actionId);
      if (found === null) continue;
      all.push(found);
      jobs.set(actionId, jobId);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      const { message } = error;
      if (refused.get(actionId) === message) continue;
      refused.set(actionId, message);
      log.error(
        { job_id: jobId, action_id: actionId },
        `job ${jobId}: a checkpoint cannot be used: ${message}`,
      );
    }
  }
  return all.sort(
    (a, b) => b.manifest.takenAt - a.manifest.takenAt || b.manifest.publishedAt - a.manifest.publishedAt,
  );
}
