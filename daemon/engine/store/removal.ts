import { join } from 'node:path';
import type { JobId } from '../../vocabulary/job.ts';
import type { Found } from '../ports.ts';
import { codeOf, StoreError } from '../store-error.ts';
import { attempt, guardJob, type StoreContext } from './fs/context.ts';
import { syncFolder, writeNew } from './fs/durable.ts';
import { guardFolder } from './fs/guard.ts';
import { DEPRECATED } from './fs/places.ts';
import { readOrder } from './order.ts';
import { locate, ofJob } from './reading.ts';

/** Marks a checkpoint, be it damaged. The first reason stays. @throws StoreError where there is none. */
export async function deprecate(store: StoreContext, actionId: string, why: string): Promise<void> {
  const jobId = await locate(store, actionId);
  if (jobId === null) throw new StoreError(`there is no checkpoint ${actionId}`);
  await guardJob(store, jobId);
  const folder = store.places.checkpoint(jobId, actionId);
  if (!(await guardFolder(folder))) throw new StoreError(`there is no checkpoint ${actionId}`);
  await attempt('cannot deprecate', folder, async () => {
    try {
      await writeNew(join(folder, DEPRECATED), `${why.slice(0, 2_000).toWellFormed()}\n`);
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return;
      throw error;
    }
    await syncFolder(folder);
    store.log.info({ job_id: jobId, action_id: actionId }, `job ${jobId}: checkpoint deprecated: ${why}`);
  });
}

/** @throws StoreError */
export async function removeJob(store: StoreContext, jobId: JobId, why: string): Promise<void> {
  if (!(await guardJob(store, jobId))) return;
  const folder = store.places.job(jobId);
  await attempt('cannot remove', folder, async () => {
    await remove(store, folder);
    await store.marks.remove(store.node, jobId);
  });
  store.log.info({ job_id: jobId }, `job ${jobId}: its checkpoints are removed: ${why}`);
}

/**
 * After a checkpoint was published: the newest `keep` that may be restored from stay, the one that an order names,
 * and what this engine cannot read. That it could not be done is no reason for the new checkpoint not to count.
 */
export async function prune(store: StoreContext, jobId: JobId): Promise<void> {
  try {
    const ordered = (await readOrder(store, jobId))?.actionId;
    const all = await ofJob(store, jobId);
    const ready = all.filter((found) => found.deprecated === null);
    const stay = new Set(
      ready
        .slice(0, store.keep)
        .map(idOf)
        .concat(ordered ?? []),
    );
    for (const found of all) if (!stay.has(idOf(found))) await remove(store, found.dir);
  } catch (error) {
    const { message } = error as Error;
    store.log.warn(
      { job_id: jobId, err: error },
      `job ${jobId}: old checkpoints are not removed: ${message}`,
    );
  }
}

const idOf = ({ manifest }: Found): string => manifest.actionId;

/** Somebody else may be removing it too. */
async function remove(store: StoreContext, path: string): Promise<void> {
  await store.trash.remove(path).catch((error: unknown) => {
    if (codeOf(error) !== 'ENOENT') throw error;
  });
}
