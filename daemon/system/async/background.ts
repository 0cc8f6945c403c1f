/** A source that runs until it is disposed of, or its signal is aborted. */
export interface Background extends AsyncDisposable {
  /** Resolves when the source has ended; rejects only for a bug. */
  readonly done: Promise<void>;
}

/** Starts `body` at once. It ends by rejecting with the reason of its signal. */
export function inBackground(signal: AbortSignal, body: (signal: AbortSignal) => Promise<void>): Background {
  const own = new AbortController();
  const either = AbortSignal.any([signal, own.signal]);
  const done = body(either).catch((error: unknown) => {
    if (!either.aborted) throw error;
  });
  return {
    done,
    async [Symbol.asyncDispose]() {
      own.abort();
      await done;
    },
  };
}
