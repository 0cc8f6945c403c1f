/*
 * The checkpoints on the shared file system: fs/places.ts has the layout. A checkpoint appears by one rename, complete,
 * and disappears by one; nothing in between is ever seen, whichever process is killed when. Engines need no lock
 * between them: action ids are random, and a rename never replaces what is there.
 */
import type { JobId } from '../../vocabulary/job.ts';
import type { Pending, Store } from '../ports.ts';
import { attempt, guardJob, type StoreContext, type StoreOptions, storeContext } from './fs/context.ts';
import { mustBeIds } from './fs/places.ts';
import { createListing, type Listed } from './listing.ts';
import { createNamedByOthers } from './named-by-others.ts';
import { readOrder, removeOrder, writeOrder } from './order.ts';
import { beginPending } from './pending.ts';
import { find, ofJob } from './reading.ts';
import { deprecate, prune, removeJob } from './removal.ts';
import { claimRun, readRun, refuseOutrun, writeRun } from './run-record.ts';
import { createUpkeep, type Upkeep } from './upkeep.ts';

export interface EngineStore extends Store {
  /** Of all jobs, this node's first; bounded. @throws StoreError */
  list(): Promise<readonly Listed[]>;
  readonly upkeep: Upkeep;
}

/** Nothing is looked at before the first call: the file system may be away, and come back. */
export function createStore(options: StoreOptions): EngineStore {
  const store = storeContext(options);
  return {
    begin: (jobId, actionId) => checkedIds(jobId, actionId, () => begin(store, jobId, actionId)),
    find: (actionId, jobId) =>
      checkedIds(jobId ?? null, actionId, () => find(store, actionId, jobId ?? null)),
    ofJob: (jobId) => checkedIds(jobId, null, () => ofJob(store, jobId)),
    namedByOthers: createNamedByOthers(store),
    writeOrder: (order) => writeOrder(store, order),
    readOrder: (jobId) => checkedIds(jobId, null, () => readOrder(store, jobId)),
    removeOrder: (jobId) => checkedIds(jobId, null, () => removeOrder(store, jobId)),
    writeRun: (run) => writeRun(store, run),
    claimRun: (run) => claimRun(store, run),
    readRun: (jobId) => checkedIds(jobId, null, () => readRun(store, jobId)),
    deprecate: (actionId, why) => checkedIds(null, actionId, () => deprecate(store, actionId, why)),
    removeJob: (jobId, why) => checkedIds(jobId, null, () => removeJob(store, jobId, why)),
    list: createListing(store),
    upkeep: createUpkeep(store),
  };
}

/** Ids come from HTTP and from other programs, and become parts of paths. */
async function checkedIds<T>(
  jobId: JobId | null,
  actionId: string | null,
  body: () => Promise<T>,
): Promise<T> {
  mustBeIds(jobId, actionId);
  return body();
}

async function begin(store: StoreContext, jobId: JobId, actionId: string): Promise<Pending> {
  const { places, clusterId, node, marks, trash, writing, jobs, log } = store;
  await guardJob(store, null);
  await attempt('cannot begin a checkpoint in', places.cluster, () => marks.add(jobId));
  writing.add(actionId);
  return beginPending(
    {
      places,
      clusterId,
      node,
      remove: trash.remove,
      checkRun: (manifest) => refuseOutrun(store, manifest),
      async published() {
        jobs.set(actionId, jobId);
        await prune(store, jobId);
      },
      closed: () => void writing.delete(actionId),
      warn: (message) => log.warn({ job_id: jobId, action_id: actionId }, `job ${jobId}: ${message}`),
    },
    jobId,
    actionId,
  );
}
