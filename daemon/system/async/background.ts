/** A source that runs until it is disposed of, or its signal is aborted. */
export interface Background extends AsyncDisposable {
  /** Resolves when the source has come to rest; rejects only for a bug. */
  readonly done: Promise<void>;
}

/** `body` runs at once; it ends by rejecting with the reason of the signal that it was given. */
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
