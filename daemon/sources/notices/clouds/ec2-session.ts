import type { Millis } from '../../../vocabulary/job.ts';
import type { MetadataClient, MetadataResult } from './metadata-client.ts';
import { problemOf } from './poll-result.ts';

/** Requests with the session token of IMDSv2. */
export interface Ec2Session {
  /** Calls `asked` for each request that is sent. A failure says so if the service gave no token. */
  get(path: string, asked: () => void, signal: AbortSignal): Promise<MetadataResult>;
  /** Fetches a token, which later requests use; the result says what came of it. */
  open(asked: () => void, signal: AbortSignal): Promise<MetadataResult>;
}

/** Six hours, the longest that the service grants. */
const TTL_SECONDS = 21_600;
const TOKEN = /^[A-Za-z0-9+/=_-]{8,1024}$/;

/**
 * One token for all requests. It is renewed when the service answers 401, and not by the clock: a host that was
 * suspended, or whose clock was set, does not know the token's age.
 */
export function ec2Session(client: MetadataClient, timeoutMs: Millis): Ec2Session {
  let token: string | null = null;
  /** A function, because the token changes during an `await`. */
  const current = () => token;
  let opening: Promise<MetadataResult> | null = null;

  async function fetchToken(asked: () => void, signal: AbortSignal): Promise<MetadataResult> {
    asked();
    const headers = { 'x-aws-ec2-metadata-token-ttl-seconds': String(TTL_SECONDS) };
    const result = await client.ask({ method: 'PUT', path: '/latest/api/token', headers, timeoutMs }, signal);
    if (result.type === 'failure' || result.status !== 200) return result;
    const text = result.body.trim();
    if (!TOKEN.test(text)) return { type: 'failure', message: 'what was given for a token is none' };
    token = text;
    return result;
  }

  /** Several sources may find the token stale at once: only one of them fetches the next. */
  function open(asked: () => void, signal: AbortSignal): Promise<MetadataResult> {
    opening ??= fetchToken(asked, signal).finally(() => {
      opening = null;
    });
    return opening;
  }

  return {
    open,
    async get(path, asked, signal) {
      const send = (value: string) => {
        asked();
        return client.ask({ path, headers: { 'x-aws-ec2-metadata-token': value }, timeoutMs }, signal);
      };
      const opened = current() === null ? await open(asked, signal) : null;
      const first = current();
      if (first === null) return noToken(opened);
      const result = await send(first);
      if (result.type === 'failure' || result.status !== 401) return result;
      const renewed = current() === first ? await open(asked, signal) : null;
      const second = current();
      return second === null || second === first ? noToken(renewed) : await send(second);
    },
  };
}

/** A 404 for the token must not be mistaken for the 404 that means "no notice". */
function noToken(opened: MetadataResult | null): MetadataResult {
  const why =
    opened === null
      ? 'the last one is stale'
      : opened.type === 'failure'
        ? opened.message
        : problemOf(opened);
  return { type: 'failure', message: `no token from the metadata service: ${why}` };
}
