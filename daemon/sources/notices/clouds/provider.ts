import type { NoticeProvider } from '../../../config/notices-config.ts';
import type { NoticeSource } from '../notice-source.ts';
import type { MetadataResult } from './metadata-client.ts';
import { problemOf } from './poll-result.ts';

/** One provider of `notices.providers`, with its sources. */
export interface Provider {
  readonly name: NoticeProvider;
  readonly sources: readonly NoticeSource[];
  /** Null if it is present, else why not, fit for a log. Left out: always. Rejects with the signal's reason. */
  detect?(signal: AbortSignal): Promise<Absent | null>;
}

export interface Absent {
  readonly why: string;
  /** A server answers there, and its failure may pass. */
  readonly passing: boolean;
}

/** Why an answer is not the provider's. Only the server's own errors may pass. */
export function absence(result: MetadataResult): Absent {
  const passing = result.type === 'failure' || result.status === 429 || result.status >= 500;
  return { why: problemOf(result), passing };
}
