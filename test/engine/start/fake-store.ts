import type { Order } from '../../../daemon/engine/manifest.ts';
import type { Found, Store } from '../../../daemon/engine/ports.ts';
import { StoreError } from '../../../daemon/engine/store/store-error.ts';

/** A store in memory; what the destination's side has no use for throws. */
export class FakeStore implements Store {
  found: Found[] = [];
  order: Order | null = null;
  /** Said of every look. */
  problem: string | null = null;
  /** What was asked for, in order. */
  readonly asked: string[] = [];

  async find(actionId: string): Promise<Found | null> {
    return this.found.find(({ manifest }) => manifest.actionId === actionId) ?? null;
  }

  async ofJob(): Promise<readonly Found[]> {
    if (this.problem !== null) throw new StoreError(this.problem);
    return this.found;
  }

  async readOrder(): Promise<Order | null> {
    return this.order;
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
}

function unused(): never {
  throw new Error('not asked for by whoever restores');
}
