/** A map that forgets what was put into it first. */
export class BoundedMap<Key, Value> {
  readonly #entries = new Map<Key, Value>();
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  get(key: Key): Value | undefined {
    return this.#entries.get(key);
  }

  set(key: Key, value: Value): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size <= this.#most) return;
    const first = this.#entries.keys().next();
    if (first.done !== true) this.#entries.delete(first.value);
  }

  entries(): [Key, Value][] {
    return [...this.#entries];
  }
}
