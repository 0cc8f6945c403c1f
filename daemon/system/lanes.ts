/** The smallest number that nobody has: a kind of command each, so that jobs need not wait for one another. */
export class Lanes {
  readonly #taken = new Set<number>();

  async with<T>(body: (lane: number) => Promise<T>): Promise<T> {
    let lane = 1;
    while (this.#taken.has(lane)) lane++;
    this.#taken.add(lane);
    try {
      return await body(lane);
    } finally {
      this.#taken.delete(lane);
    }
  }
}
