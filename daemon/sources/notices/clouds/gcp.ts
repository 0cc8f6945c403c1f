import type { NoticesConfig } from '../../../config/notices-config.ts';
import type { Clock } from '../../../system/ports.ts';
import type { Millis } from '../../../vocabulary/job.ts';
import { makeNotice } from '../notice.ts';
import type { NoticeSource, SourcePorts } from '../notice-source.ts';
import { type MetadataClient, type MetadataResult, metadataClient } from './metadata-client.ts';
import { retryPause } from './poll.ts';
import { problemOf } from './poll-result.ts';
import { absence, type Provider } from './provider.ts';

/** One value of the metadata server that announces a termination. */
interface Value {
  readonly source: string;
  readonly path: string;
  /** The value while there is no notice, and the values that are one. */
  readonly harmless: readonly string[];
  readonly notice: string;
  /** Counted from when the value is seen: the server names no time. */
  readonly leadMs: Millis;
  readonly reason: string;
}

const PREEMPTED: Value = {
  source: 'gcp/preempted',
  path: '/computeMetadata/v1/instance/preempted',
  harmless: ['FALSE'],
  notice: 'TRUE',
  leadMs: 30_000,
  reason: 'Google Cloud preempts this VM',
};
const MAINTENANCE: Value = {
  source: 'gcp/maintenance',
  path: '/computeMetadata/v1/instance/maintenance-event',
  harmless: ['NONE', 'MIGRATE_ON_HOST_MAINTENANCE'],
  notice: 'TERMINATE_ON_HOST_MAINTENANCE',
  leadMs: 60_000,
  reason: 'Google Cloud stops this VM for maintenance of its host',
};

const HEADERS = { 'metadata-flavor': 'Google' };
/** At most one request a second, also to a server that does not hold its answers. */
const LEAST_PERIOD: Millis = 1_000;
/** A preemption is announced 30 s ahead. */
const LONGEST_PAUSE: Millis = 5_000;

/**
 * Google Cloud. The server holds the answer to a request that names the last `ETag` until the value changes. The first
 * request, and the first after an error, names none: so a change is seen at once.
 */
export function gcp(config: NoticesConfig['gcp'], clock: Clock): Provider {
  const client = metadataClient(config.endpoint, clock);
  return {
    name: 'gcp',
    sources: [PREEMPTED, MAINTENANCE].map((value) => valueSource(value, client, config)),
    detect: async (signal) => {
      const request = { path: PREEMPTED.path, headers: HEADERS, timeoutMs: config.timeout };
      const result = await client.ask(request, signal);
      return wordOf(PREEMPTED, result) === null ? absence(result) : null;
    },
  };
}

function valueSource(value: Value, client: MetadataClient, config: NoticesConfig['gcp']): NoticeSource {
  const { source, path, leadMs, reason } = value;
  const held = `wait_for_change=true&timeout_sec=${Math.round(config.wait / 1000)}&last_etag=`;

  const ask = (etag: string | null, signal: AbortSignal) =>
    client.ask(
      {
        path: etag === null ? path : `${path}?${held}${encodeURIComponent(etag)}`,
        headers: HEADERS,
        timeoutMs: config.timeout + (etag === null ? 0 : config.wait),
      },
      signal,
    );

  async function watch({ clock, health, random, emit }: SourcePorts, signal: AbortSignal): Promise<void> {
    let etag: string | null = null;
    for (;;) {
      const startedAt = clock.now();
      health.asked();
      const result = await ask(etag, signal);
      const word = wordOf(value, result);
      if (word === null || result.type === 'failure') {
        etag = null;
        health.failed(
          result.type === 'answer' && result.status === 200 ? 'an unknown value' : problemOf(result),
        );
        await clock.sleep(retryPause(health.inRow, LEAST_PERIOD, LONGEST_PAUSE, random), signal);
        continue;
      }
      health.answered();
      etag = etagOf(result.etag);
      if (etag === null)
        health.odd('the metadata server tells no ETag: it is asked every second instead of waited for');
      const at = clock.now();
      const deadline = at + leadMs;
      const notice = makeNotice({ source, kind: 'termination', name: word, deadline, reason });
      emit({ type: 'notices', at, source, standing: word === value.notice ? [notice] : [] });
      await clock.sleep(Math.max(0, LEAST_PERIOD - (clock.now() - startedAt)), signal);
    }
  }
  return { name: source, watch };
}

/** The value in an answer; null if it is not one of the known values. */
function wordOf(value: Value, result: MetadataResult): string | null {
  if (result.type === 'failure' || result.status !== 200) return null;
  const word = result.body.trim();
  return word === value.notice || value.harmless.includes(word) ? word : null;
}

function etagOf(etag: string | null): string | null {
  return etag !== null && /^[\x21-\x7e]{1,128}$/.test(etag) ? etag : null;
}
