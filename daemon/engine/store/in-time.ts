import { Semaphore } from '../../system/async/semaphore.ts';
import type { Clock } from '../../system/ports.ts';
import type { Millis } from '../../vocabulary/job.ts';
import type { Pending } from '../ports.ts';
import { type Answers, answersOf } from './answers.ts';
import type { EngineStore } from './store.ts';

/** For what a job may stand frozen meanwhile. */
export const ANSWER_MS: Millis = 30_000;
/** For searches and removals. */
export const PATIENCE_MS: Millis = 600_000;
/** As slow as a file system may be that takes part in this. */
const BYTES_PER_MS = (20 * 1024 * 1024) / 1000;
/** Of looks, and apart from them of what tidies up: none keeps the others from the store for long (`fs/threads.ts`). */
const AT_ONCE = 4;

/**
 * The store, with no method that is waited for longer than it may take: a shared file system that hangs gives no
 * error by itself, and a frozen job has to run on. Once a method was given up, and until it has come back after all,
 * every method rejects at once, and so does whatever waits for its turn. How many of Node's threads hang by then is
 * `fs/threads.ts`' to bound: a method may have several calls under way.
 */
export function inTime(store: EngineStore, clock: Clock, dir: string): EngineStore {
  const answers = answersOf(dir);
  const within = withinOf(clock, answers);
  const [looks, tidying] = [new Semaphore(AT_ONCE), new Semaphore(AT_ONCE)];
  const soon =
    <Args extends unknown[], T>(method: (...args: Args) => Promise<T>) =>
    (...args: Args) =>
      within(ANSWER_MS, () => method(...args));
  const patient =
    <Args extends unknown[], T>(few: Semaphore, method: (...args: Args) => Promise<T>) =>
    (...args: Args) =>
      few.with(() => within(PATIENCE_MS, () => method(...args)), answers.ending());
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

function withinOf(clock: Clock, answers: Answers): Within {
  return async (limit, body, tooLate) => {
    answers.ending().throwIfAborted();
    const over = new AbortController();
    const work = body();
    const late = clock.sleep(limit, over.signal).then(() => {
      answers.wait(work);
      work.then(tooLate, () => undefined);
      throw answers.silent(`did not answer within ${Math.round(limit / 1000)} s`);
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      over.abort();
    }
  };
}
