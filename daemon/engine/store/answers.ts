import { StoreError } from '../store-error.ts';

/** Whether the file system answers, as far as is known. */
export interface Answers {
  /** Aborts once it hangs, with the StoreError for whoever comes then; is aborted as long as it does. */
  ending(): AbortSignal;
  /** `work` was given up: it hangs, until that comes back. */
  wait(work: Promise<unknown>): void;
  /** For whoever waited for what has not come in time. */
  silent(what: string): StoreError;
}

export function answersOf(dir: string): Answers {
  let hanging = 0;
  let answering = new AbortController();
  const silent = (what: string): StoreError => {
    const message = `the file system of ${dir} ${what}`;
    return new StoreError(message, { cause: Object.assign(new Error(message), { code: 'ETIMEDOUT' }) });
  };
  const isBack = () => {
    if (--hanging === 0) answering = new AbortController();
  };
  return {
    silent,
    ending: () => answering.signal,
    wait(work) {
      if (hanging++ === 0) answering.abort(silent('hangs: nothing more is asked of it before it answers'));
      work.then(isBack, isBack);
    },
  };
}
