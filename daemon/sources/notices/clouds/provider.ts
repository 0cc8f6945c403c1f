import type { NoticeProvider } from '../../../config/notices-config.ts';
import type { NoticeSource } from '../notice-source.ts';
import type { MetadataResult } from './metadata-client.ts';
import { problemOf } from './poll-result.ts';

/** One word of `notices.providers`: who it is, and what it says on how many ways. */
export interface Provider {
  readonly name: NoticeProvider;
  readonly sources: readonly NoticeSource[];
  /** Whether it is here at all; null, or why not, fit for a log. Left out: always. Rejects with the signal's reason. */
  detect?(signal: AbortSignal): Promise<Absent | null>;
}

export interface Absent {
  readonly why: string;
  /** Somebody answers there, who may have a bad moment. */
  readonly passing: boolean;
}

/** What an answer that is not the provider's says of it: only the server's own troubles may pass. */
export function absence(result: MetadataResult): Absent {
  const passing = result.type === 'failure' || result.status === 429 || result.status >= 500;
  return { why: problemOf(result), passing };
}
