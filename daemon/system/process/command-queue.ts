/**
 * One queue per kind: at most one task of a kind runs, the others wait in the order in which they came. An unused kind
 * costs nothing.
 */
export class CommandQueue {
  readonly #lanes = new Map<string, Waiter[]>();
  readonly #longest: number;

  constructor(longest: number) {
    this.#longest = longest;
  }

  /**
   * Waits for its turn. After `go` the caller must call `leave` exactly once; `full` and `aborted` give no turn.
   */
  enter(kind: string, signal: AbortSignal | undefined): Promise<'go' | 'full' | 'aborted'> {
    if (signal?.aborted) return Promise.resolve('aborted');
    const waiting = this.#lanes.get(kind);
    if (!waiting) {
      this.#lanes.set(kind, []);
      return Promise.resolve('go');
    }
    if (waiting.length >= this.#longest) return Promise.resolve('full');
    return new Promise((resolve) => {
      const onAbort = () => {
        waiting.splice(waiting.indexOf(waiter), 1);
        resolve('aborted');
      };
      const waiter: Waiter = () => {
        signal?.removeEventListener('abort', onAbort);
        resolve('go');
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      waiting.push(waiter);
    });
  }

  leave(kind: string): void {
    const next = this.#lanes.get(kind)?.shift();
    if (next) next();
    else this.#lanes.delete(kind);
  }
}

type Waiter = () => void;
