import { randomUUID } from 'node:crypto';

/** How a checkpoint goes on after it was accepted. */
export interface Lifecycle {
  /** From accepted to its end, in milliseconds. */
  readonly afterMs: number;
  readonly end: 'ready' | 'error';
}

export interface StoredCheckpoint {
  readonly actionId: string;
  readonly jobId: string;
  readonly createdAt: number;
  readonly lifecycle: Lifecycle;
  deprecated: boolean;
}

/** The two status routes' words for one moment of a checkpoint (facts/cedana-api.md). */
export interface Words {
  readonly status: string;
  readonly list: string;
}

/** The stand-in's table of checkpoints. */
export class Checkpoints {
  readonly #all = new Map<string, StoredCheckpoint>();

  add(jobId: string, lifecycle: Lifecycle): StoredCheckpoint {
    const stored = {
      actionId: randomUUID(),
      jobId,
      createdAt: Date.now(),
      lifecycle,
      deprecated: false,
    };
    this.#all.set(stored.actionId, stored);
    return stored;
  }

  get(actionId: string): StoredCheckpoint | undefined {
    return this.#all.get(actionId);
  }

  list(): StoredCheckpoint[] {
    return [...this.#all.values()];
  }
}

export function wordsFor(checkpoint: StoredCheckpoint): Words {
  const { afterMs, end } = checkpoint.lifecycle;
  const age = Date.now() - checkpoint.createdAt;
  if (checkpoint.deprecated) return { status: 'ready', list: 'deprecated' };
  if (age >= afterMs) return { status: end, list: end };
  return age < afterMs / 2
    ? { status: 'initialized', list: 'initializing' }
    : { status: 'processing', list: 'updated_info' };
}
