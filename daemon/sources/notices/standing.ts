import type { Notice } from '../../vocabulary/notice.ts';

/** The last word of one source, so that only what is new goes further. */
export class Standing {
  #notices: readonly Notice[] = [];
  #said: string | null = null;

  get count(): number {
    return this.#notices.length;
  }

  /**
   * What to tell of a look; null where that was told before. Of a notice that stands already the first deadline
   * holds: some are reckoned anew at each look, from now or from two clocks, and would never come to rest.
   */
  news(seen: readonly Notice[]): readonly Notice[] | null {
    const before = new Map(this.#notices.map((notice) => [notice.id, notice]));
    // By id: one notice that is listed twice is one, and their order means nothing.
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
