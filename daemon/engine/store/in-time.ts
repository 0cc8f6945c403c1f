import { AtMost } from '../../system/at-most.ts';
import type { Clock } from '../../system/ports.ts';
import type { Millis } from '../../vocabulary/job.ts';
import type { Pending } from '../ports.ts';
import type { EngineStore } from './store.ts';
import { StoreError } from './store-error.ts';

/** For what a job may stand frozen meanwhile. */
export const ANSWER_MS: Millis = 30_000;
/** For searches and removals. */
export const PATIENCE_MS: Millis = 600_000;
/** As slow as a file system may be that takes part in this. */
const BYTES_PER_MS = (20 * 1024 * 1024) / 1000;
/** Node has few threads, and a job's cgroup is thawed by one. Of looks, and apart from them of what tidies up. */
const AT_ONCE = 4;

/**
 * The store, with no method that is waited for longer than it may take: a shared file system that hangs gives no
 * error by itself, and a frozen job has to run on. What hangs keeps one of Node's threads; until it has come back
 * nothing more is asked of the file system, and every method rejects at once.
 */
export function inTime(store: EngineStore, clock: Clock, dir: string): EngineStore {
  const within = withinOf(clock, dir);
  const [looks, tidying] = [new AtMost(AT_ONCE), new AtMost(AT_ONCE)];
  const soon =
    <Args extends unknown[], T>(method: (...args: Args) => Promise<T>) =>
    (...args: Args) =>
      within(ANSWER_MS, () => method(...args));
  const patient =
    <Args extends unknown[], T>(few: AtMost, method: (...args: Args) => Promise<T>) =>
    (...args: Args) =>
      few.with(() => within(PATIENCE_MS, () => method(...args)));
  const { upkeep } = store;
  return {
    async begin(jobId, actionId) {
      const discard = (pending: Pending) => void pending.discard();
      const pending = await within(ANSWER_MS, () => store.begin(jobId, actionId), discard);
      return pendingInTime(pending, within);
    },
    writeRun: soon(store.writeRun),
    claimRun: soon(store.claimRun),
    readRun: soon(store.readRun),
    readOrder: soon(store.readOrder),
    writeOrder: soon(store.writeOrder),
    removeOrder: soon(store.removeOrder),
    ofJob: patient(looks, store.ofJob),
    find: patient(looks, store.find),
    namedByOthers: soon(store.namedByOthers),
    list: patient(tidying, store.list),
    deprecate: patient(tidying, store.deprecate),
    removeJob: patient(tidying, store.removeJob),
    upkeep: {
      settleIn: patient(tidying, upkeep.settleIn),
      has: patient(tidying, upkeep.has),
      jobsOf: patient(tidying, upkeep.jobsOf),
      removeHalfWritten: patient(tidying, upkeep.removeHalfWritten),
      holds: patient(tidying, upkeep.holds),
      forget: patient(tidying, upkeep.forget),
      freshen: patient(tidying, upkeep.freshen),
      silentSince: patient(tidying, upkeep.silentSince),
      dropNode: patient(tidying, upkeep.dropNode),
    },
  };
}

/** `late`: gets what nobody waits for any more. */
type Within = <T>(limit: Millis, body: () => Promise<T>, late?: (value: T) => void) => Promise<T>;

function pendingInTime({ dir, publish, discard }: Pending, within: Within): Pending {
  return {
    dir,
    publish(manifest) {
      const { images, archive } = manifest;
      const bytes = images.reduce((sum, { storedBytes }) => sum + storedBytes, archive?.bytes ?? 0);
      return within(ANSWER_MS + bytes / BYTES_PER_MS, () => publish(manifest));
    },
    // It never rejects. What it does not get done is swept later.
    discard: () => within(ANSWER_MS, discard).catch(() => undefined),
  };
}

function withinOf(clock: Clock, dir: string): Within {
  let hanging = 0;
  const silent = (what: string): StoreError => {
    const message = `the file system of ${dir} ${what}`;
    return new StoreError(message, { cause: Object.assign(new Error(message), { code: 'ETIMEDOUT' }) });
  };
  return async (limit, body, tooLate) => {
    if (hanging > 0) throw silent('hangs: nothing more is asked of it before it answers');
    const over = new AbortController();
    const work = body();
    const late = clock.sleep(limit, over.signal).then(() => {
      hanging++;
      work.finally(() => hanging--).then(tooLate, () => undefined);
      throw silent(`did not answer within ${Math.round(limit / 1000)} s`);
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      over.abort();
    }
  };
}
