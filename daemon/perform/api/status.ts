import { cleanText } from '../../system/log/clean-text.ts';
import type { EpochMs, Millis } from '../../vocabulary/job.ts';
import { isRecord, parseJson } from './answer.ts';
import { type Attempt, type AttemptDeps, attempt } from './attempt.ts';

/** The status of one checkpoint. */
export type Reading =
  | { readonly type: 'ready' }
  | { readonly type: 'failed'; readonly message: string }
  | { readonly type: 'pending'; readonly message: string }
  /** The server has neither route for a status. */
  | { readonly type: 'no-status' }
  | { readonly type: 'refused'; readonly status: number; readonly message: string }
  | { readonly type: 'unavailable'; readonly afterMs: Millis | null; readonly message: string };

/** The words of both routes. Any other word means that it is still under way (facts/cedana-api.md). */
const WORDS: Readonly<Record<string, 'ready' | 'failed'>> = {
  ready: 'ready',
  error: 'failed',
  failed: 'failed',
  deprecated: 'failed',
  possibly_uploaded: 'failed',
};

const STATUS_MAX_BYTES = 65_536;
const LIST_MAX_BYTES = 8 * 1_048_576;
/** How long a server is remembered as one without a status route. */
const REPROBE_MS: Millis = 3_600_000;

export interface StatusReader {
  read(actionId: string, timeoutMs: Millis, signal: AbortSignal): Promise<Reading>;
}

/**
 * Reads a checkpoint's status by `GET /v2/checkpoint/status/{id}`, and if that does not know it by the list
 * `GET /v2/slurm/checkpoints`. Remembers which routes have worked in this process: a 404 of such a route means the
 * checkpoint and not the server.
 */
export function createStatusReader(deps: AttemptDeps): StatusReader {
  let seen = false;
  let withoutStatusAt: EpochMs | null = null;

  return {
    async read(actionId, timeoutMs, signal) {
      const { clock } = deps;
      if (withoutStatusAt !== null && clock.now() - withoutStatusAt < REPROBE_MS)
        return { type: 'no-status' };

      const path = `/v2/checkpoint/status/${encodeURIComponent(actionId)}`;
      const one = await attempt(deps, get('status', path, STATUS_MAX_BYTES, timeoutMs), signal);
      const said = one.type === 'answered' ? wordOf(parseJson(one.body)) : null;
      if (said !== null) seen = true;
      if (said !== null && said.word !== 'not_found') return reading(said);
      if (said === null && !isMissing(one)) return trouble(one);

      const all = await attempt(
        deps,
        get('list', '/v2/slurm/checkpoints', LIST_MAX_BYTES, timeoutMs),
        signal,
      );
      if (isMissing(all)) {
        if (seen) return { type: 'pending', message: 'not known to the API yet' };
        withoutStatusAt = clock.now();
        return { type: 'no-status' };
      }
      const list = all.type === 'answered' ? parseJson(all.body) : undefined;
      if (!Array.isArray(list)) return trouble(all);
      seen = true;
      const entry = wordOf(list.find((item) => isRecord(item) && item['action_id'] === actionId));
      return entry === null ? { type: 'pending', message: 'not listed yet' } : reading(entry);
    },
  };
}

function get(route: 'status' | 'list', path: string, maxBytes: number, timeoutMs: Millis) {
  return { route, method: 'GET', path, json: null, maxBytes, timeoutMs } as const;
}

/** A missing route answers 404, or 405 if the path has another method. */
function isMissing(result: Attempt): boolean {
  return result.type === 'not-found' || (result.type === 'refused' && [405, 501].includes(result.status));
}

function wordOf(value: unknown): { readonly word: string; readonly details: unknown } | null {
  if (!isRecord(value) || typeof value['status'] !== 'string') return null;
  return { word: value['status'], details: value['details'] };
}

function reading(said: { readonly word: string; readonly details: unknown }): Reading {
  const details = typeof said.details === 'string' ? cleanText(said.details, 200) : '';
  const message = `status ${cleanText(said.word, 60)}${details === '' ? '' : `: ${details}`}`;
  const type = Object.hasOwn(WORDS, said.word) ? WORDS[said.word]! : 'pending';
  return type === 'ready' ? { type } : { type, message };
}

function trouble(result: Attempt): Reading {
  switch (result.type) {
    case 'answered':
      return { type: 'unavailable', afterMs: null, message: `HTTP ${result.status} without a status` };
    case 'failed':
      return { type: 'unavailable', afterMs: result.afterMs, message: result.message };
    default:
      return { type: 'refused', status: result.status, message: result.message };
  }
}
