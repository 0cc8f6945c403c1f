import { join } from 'node:path';
import type { JobId } from '../../vocabulary/job.ts';
import { ORDER_VERSION, type Order, orderSchema } from '../manifest.ts';
import { codeOf, StoreError } from '../store-error.ts';
import { attempt, guardJob, type StoreContext } from './fs/context.ts';
import { replace, syncFolder } from './fs/durable.ts';
import { unlink } from './fs/files.ts';
import { ensureFolder } from './fs/guard.ts';
import { ORDER } from './fs/places.ts';
import { fitting, readRecord } from './fs/record.ts';

/** @throws StoreError */
export async function writeOrder(store: StoreContext, given: Order): Promise<void> {
  const shaped = fitting(orderSchema, given);
  if ('problem' in shaped) throw new StoreError(`an order that is none is not written: ${shaped.problem}`);
  const { jobId, clusterId } = shaped.value;
  if (clusterId !== store.clusterId)
    throw new StoreError(`an order of cluster ${clusterId} is not written here`);
  const folder = store.places.job(jobId);
  await guardJob(store, jobId);
  await attempt('cannot write the order in', folder, async () => {
    await store.marks.add(jobId);
    await ensureFolder(folder);
    await replace(join(folder, ORDER), JSON.stringify(shaped.value));
  });
}

/** Null: none. @throws StoreError also for one that is damaged, newer or another's. */
export async function readOrder(store: StoreContext, jobId: JobId): Promise<Order | null> {
  if (!(await guardJob(store, jobId))) return null;
  const path = join(store.places.job(jobId), ORDER);
  const order = await readRecord(path, orderSchema, ORDER_VERSION);
  if (order !== null && (order.jobId !== jobId || order.clusterId !== store.clusterId)) {
    throw new StoreError(`${path} is for job ${order.jobId} of cluster ${order.clusterId}: refused`);
  }
  return order;
}

/** @throws StoreError */
export async function removeOrder(store: StoreContext, jobId: JobId): Promise<void> {
  if (!(await guardJob(store, jobId))) return;
  const folder = store.places.job(jobId);
  await attempt('cannot remove the order in', folder, async () => {
    try {
      await unlink(join(folder, ORDER));
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return;
      throw error;
    }
    await syncFolder(folder);
  });
}
