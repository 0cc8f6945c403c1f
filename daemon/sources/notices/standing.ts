import type { Notice } from '../../vocabulary/notice.ts';

/** The last list of one source, so that only changes are passed on. */
export class Standing {
  #notices: readonly Notice[] = [];
  #said: string | null = null;

  get count(): number {
    return this.#notices.length;
  }

  /**
   * The list to pass on, or null if it has not changed. A known notice keeps its first deadline: some deadlines are
   * computed again at each poll, from now or from two clocks, and would never stay the same.
   */
  news(seen: readonly Notice[]): readonly Notice[] | null {
    const before = new Map(this.#notices.map((notice) => [notice.id, notice]));
    // By id: a notice that is listed twice counts once, and the order means nothing.
    const notices = new Map(
      seen.map((notice) => {
        const deadline = before.get(notice.id)?.deadline ?? notice.deadline;
        return [notice.id, { ...notice, deadline }];
      }),
    );
    this.#notices = [...notices.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
    const said = JSON.stringify(this.#notices);
    if (said === this.#said) return null;
    this.#said = said;
    return this.#notices;
  }
}
