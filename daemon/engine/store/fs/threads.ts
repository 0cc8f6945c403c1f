import { Semaphore } from '../../../system/async/semaphore.ts';

/*
 * A call to a file system that hangs keeps one of Node's threads until it answers, and there are 32
 * (`UV_THREADPOOL_SIZE`, systemd/ckptd-engine.service) for the node's own disk, zlib and the store together. So all jobs
 * share what is asked of the store at a time, and what hangs there keeps half of them: 12, and 4 that flush. A job is
 * frozen, thawed and fenced without any.
 */
const CALLS = new Semaphore(12);
/** Of those: files that are written for long. Each may keep a second thread, which flushes it. */
const LONG = new Semaphore(4);

/**
 * Waits for its turn at the store, in the order of coming. `body` has one call under way at a time, and takes no turn of
 * its own: it might wait for itself. Rejects with the signal's reason where that comes before the turn.
 */
export function atStore<T>(body: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  return CALLS.with(body, signal);
}

/** The same for a large file, which may take minutes: others have their turns beside it. */
export function atStoreForLong<T>(body: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  return LONG.with(() => CALLS.with(body, signal), signal);
}
