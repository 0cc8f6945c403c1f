import type { Log } from '../../../system/ports.ts';
import type { MetadataResult } from './metadata-client.ts';
import { problemOf } from './poll-result.ts';

const MOST_TRIES = 5;

/** Tells Azure, once an event, that the event may start early because all jobs are saved. */
export class StartRequests {
  readonly #enabled: boolean;
  /** Approved notices, and how often Azure was told. */
  readonly #tries = new Map<string, number>();

  constructor(enabled: boolean) {
    this.#enabled = enabled;
  }

  /** All jobs are saved. Does nothing unless `azure.start_requests` is set. */
  approve(noticeId: string): void {
    if (this.#enabled && !this.#tries.has(noticeId)) this.#tries.set(noticeId, 0);
  }

  /** Posts a start request for each approved notice that is still active; `post` sends one body. */
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

  /** Forgets notices that are not active any more. */
  keep(standing: ReadonlySet<string>): void {
    for (const noticeId of this.#tries.keys()) if (!standing.has(noticeId)) this.#tries.delete(noticeId);
  }
}
