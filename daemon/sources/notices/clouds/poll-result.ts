import { cleanText } from '../../../system/log/clean-text.ts';
import type { EpochMs, Millis } from '../../../vocabulary/job.ts';
import type { Notice } from '../../../vocabulary/notice.ts';
import type { SourceHealth } from '../source-health.ts';
import type { MetadataResult } from './metadata-client.ts';

/** The result of one poll of a source. */
export type PollResult =
  /** `doubt`: a part of the answer cannot be read, so a missing notice does not count as withdrawn. */
  | { readonly ok: true; readonly standing: readonly Notice[]; readonly doubt?: string | null }
  /** `expected`: not an error, because the source starts like this. */
  | { readonly ok: false; readonly problem: string; readonly expected?: boolean };

export const NOTHING: PollResult = { ok: true, standing: [] };

export function unreadable(what: string): PollResult {
  return { ok: false, problem: what };
}

/** Why a metadata service gave no usable answer, and what the cause may be. */
export function problemOf(result: MetadataResult): string {
  if (result.type === 'failure') return result.message;
  const { status, body } = result;
  const hint = HINTS[status] ?? (status >= 300 && status < 400 ? 'redirects are not followed' : null);
  const says = hint ?? cleanText(body, 100);
  return says === '' ? `HTTP ${status}` : `HTTP ${status}: ${says}`;
}

const HINTS: Readonly<Record<number, string>> = {
  401: 'the metadata service refuses the token that it gave',
  403: 'the metadata service is switched off for this node, or a firewall keeps the daemon from it',
  404: 'there is nothing at this address of the metadata service',
  429: 'the metadata service is asked too often, by all programs of this node together',
};

/**
 * Converts a deadline from the server's clock to the host's. Only the time left counts, and both clocks were read for
 * the same answer.
 */
export function onHostClock(at: EpochMs, hostAhead: Millis, health: SourceHealth): EpochMs {
  if (hostAhead !== 0) {
    health.odd(
      "this host's clock differs from the metadata service's: deadlines are translated, but the clock should be set",
      { host_ahead_ms: hostAhead },
    );
  }
  return at + hostAhead;
}
