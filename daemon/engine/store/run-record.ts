import { join } from 'node:path';
import type { JobId } from '../../vocabulary/job.ts';
import { type Manifest, RUN_VERSION, type RunRecord, runSchema } from '../manifest.ts';
import { codeOf, StoreError } from '../store-error.ts';
import { attempt, guardJob, type StoreContext } from './fs/context.ts';
import { replace, syncFolder, writeNew } from './fs/durable.ts';
import { ensureFolder } from './fs/guard.ts';
import { RUN } from './fs/places.ts';
import { fitting, readRecord } from './fs/record.ts';

/** Over whatever run was there before. @throws StoreError */
export async function writeRun(store: StoreContext, given: RunRecord): Promise<void> {
  await write(store, given, replace);
}

/** Only where no run of the job is recorded: a newer one must not be hidden. @throws StoreError */
export async function claimRun(store: StoreContext, given: RunRecord): Promise<void> {
  await write(store, given, async (path, text) => {
    try {
      await writeNew(path, text);
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
      return;
    }
    await syncFolder(store.places.job(given.jobId));
  });
}

async function write(
  store: StoreContext,
  given: RunRecord,
  how: (path: string, text: string) => Promise<void>,
): Promise<void> {
  const shaped = fitting(runSchema, given);
  if ('problem' in shaped) throw new StoreError(`a run that is none is not recorded: ${shaped.problem}`);
  const { jobId, clusterId } = shaped.value;
  if (clusterId !== store.clusterId)
    throw new StoreError(`a run of cluster ${clusterId} is not recorded here`);
  const folder = store.places.job(jobId);
  await guardJob(store, jobId);
  await attempt('cannot record the run in', folder, async () => {
    await store.marks.add(jobId);
    await ensureFolder(folder);
    await how(join(folder, RUN), JSON.stringify(shaped.value));
  });
}

/** Null: none. @throws StoreError also for one that is damaged, newer or another's. */
export async function readRun(store: StoreContext, jobId: JobId): Promise<RunRecord | null> {
  if (!(await guardJob(store, jobId))) return null;
  const path = join(store.places.job(jobId), RUN);
  const run = await readRecord(path, runSchema, RUN_VERSION);
  if (run !== null && (run.jobId !== jobId || run.clusterId !== store.clusterId)) {
    throw new StoreError(`${path} is for job ${run.jobId} of cluster ${run.clusterId}: refused`);
  }
  return run;
}

/**
 * A run that was given up goes on where nobody hears of it: what it saves after the next one has begun does not fit
 * the job's files any more. What cannot be read hinders nobody. @throws StoreError where a newer run has begun.
 */
export async function refuseOutrun(
  store: StoreContext,
  { jobId, restarts, submitAt }: Pick<Manifest, 'jobId' | 'restarts' | 'submitAt'>,
): Promise<void> {
  const run = await readRun(store, jobId).catch((error: unknown) => {
    if (!(error instanceof StoreError)) throw error;
    store.log.warn({ job_id: jobId, err: error }, `job ${jobId}: ${error.message}`);
    return null;
  });
  // One from before this run was submitted is of another job that had this id.
  if (run === null || run.restarts <= restarts || run.startedAt < submitAt) return;
  throw new StoreError(
    `job ${jobId} runs on ${run.node} by now (restart ${run.restarts}): no checkpoint of its restart ${restarts} is published`,
  );
}
