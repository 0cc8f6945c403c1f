import type { Log } from '../../../system/ports.ts';
import type { MetadataResult } from './metadata-client.ts';
import { problemOf } from './poll-result.ts';

const MOST_TRIES = 5;

/** The notices whose events may go ahead, and which of them Azure was told of: each event once. */
export class StartRequests {
  readonly #enabled: boolean;
  /** Notices that are approved of, and how often Azure was told. */
  readonly #tries = new Map<string, number>();

  constructor(enabled: boolean) {
    this.#enabled = enabled;
  }

  /** All that could be saved is saved. Does nothing unless the administrator asked for start requests. */
  approve(noticeId: string): void {
    if (this.#enabled && !this.#tries.has(noticeId)) this.#tries.set(noticeId, 0);
  }

  /** Posts what is approved of and still stands; `post` sends the body of one request. */
  async send(
    startable: ReadonlyMap<string, string>,
    post: (body: string) => Promise<MetadataResult>,
    log: Log,
  ): Promise<void> {
    for (const [noticeId, eventId] of startable) {
      const tries = this.#tries.get(noticeId);
      if (tries === undefined || tries >= MOST_TRIES) continue;
      const result = await post(JSON.stringify({ StartRequests: [{ EventId: eventId }] }));
      const fields = { source: 'azure/scheduled', notice: noticeId, event: eventId };
      if (result.type === 'answer' && result.status >= 200 && result.status < 300) {
        this.#tries.set(noticeId, MOST_TRIES);
        log.info(fields, 'all jobs are saved: Azure was told to go ahead');
        continue;
      }
      const final = result.type === 'answer' && result.status < 500 && result.status !== 429;
      const next = final ? MOST_TRIES : tries + 1;
      this.#tries.set(noticeId, next);
      if (next === MOST_TRIES) {
        const problem = problemOf(result);
        log.warn({ ...fields, problem }, 'Azure was not told to go ahead: it waits for its deadline');
      }
    }
  }

  /** Forgets what does not stand any more. */
  keep(standing: ReadonlySet<string>): void {
    for (const noticeId of this.#tries.keys()) if (!standing.has(noticeId)) this.#tries.delete(noticeId);
  }
}
