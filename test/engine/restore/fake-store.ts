import type { Order, RunRecord } from '../../../daemon/engine/manifest.ts';
import type { Found, Store } from '../../../daemon/engine/ports.ts';
import { StoreError } from '../../../daemon/engine/store-error.ts';

/** A store in memory; what the destination's side has no use for throws. */
export class FakeStore implements Store {
  found: Found[] = [];
  order: Order | null = null;
  run: RunRecord | null = null;
  /** Paths that checkpoints of other jobs name. */
  others: string[] = [];
  /** Said of every look. */
  problem: string | null = null;
  /** Every look hangs, and is given up in time. */
  hangs = false;
  /** What was asked for, in order. */
  readonly asked: string[] = [];

  async find(actionId: string): Promise<Found | null> {
    this.#look();
    return this.found.find(({ manifest }) => manifest.actionId === actionId) ?? null;
  }

  async ofJob(): Promise<readonly Found[]> {
    if (this.problem !== null) throw new StoreError(this.problem);
    this.#look();
    return this.found;
  }

  /** As `store/in-time.ts`. */
  #look(): void {
    const cause = Object.assign(new Error('late'), { code: 'ETIMEDOUT' });
    if (this.hangs) throw new StoreError('the file system of /shared hangs', { cause });
  }

  async namedByOthers(_: number, files: readonly { readonly path: string }[]): Promise<readonly string[]> {
    return files.map(({ path }) => path).filter((path) => this.others.includes(path));
  }

  async readOrder(): Promise<Order | null> {
    this.#look();
    return this.order;
  }

  async readRun(): Promise<RunRecord | null> {
    return this.run;
  }

  async writeRun(run: RunRecord): Promise<void> {
    this.run = run;
  }

  async deprecate(actionId: string, why: string): Promise<void> {
    this.asked.push(`deprecate ${Number(actionId.slice(-4))}: ${why}`);
    this.found = this.found.map((found) =>
      found.manifest.actionId === actionId ? { ...found, deprecated: why } : found,
    );
  }

  async removeJob(_: number, why: string): Promise<void> {
    this.asked.push(`remove: ${why}`);
    this.found = [];
  }

  begin = unused;
  writeOrder = unused;
  removeOrder = unused;
  claimRun = unused;
}

function unused(): never {
  throw new Error('not asked for by whoever restores');
}
