import type { Millis, RestoreReason } from '../../vocabulary/job.ts';
import type { RestoreAttempt } from '../ports.ts';
import { parseActionId } from './answer.ts';
import { type AttemptDeps, attempt } from './attempt.ts';

export interface RestoreRequest {
  readonly actionId: string;
  /** UUID of the cluster. */
  readonly clusterId: string;
  readonly reason: RestoreReason;
}

const ROUTE = '/v2/slurm/restore/job';
const MAX_BYTES = 65_536;

/**
 * Asks for a restore once. A second request may make a second copy of the job (facts/cedana-api.md), so a request is
 * repeated only if a refused token kept the server from acting on it. Rejects only with the signal's reason; the
 * request may have been sent by then, so that is ambiguous too.
 */
export async function restoreOnce(
  deps: AttemptDeps & { readonly timeoutMs: Millis },
  request: RestoreRequest,
  signal: AbortSignal,
): Promise<RestoreAttempt> {
  const json = { action_id: request.actionId, cluster_id: request.clusterId, reason: request.reason };
  const result = await attempt(
    deps,
    { route: 'restore', method: 'POST', path: ROUTE, json, maxBytes: MAX_BYTES, timeoutMs: deps.timeoutMs },
    signal,
  );
  switch (result.type) {
    case 'answered': {
      const actionId = parseActionId(result.body);
      return actionId === null
        ? { type: 'ambiguous', message: `HTTP ${result.status} without a checkpoint id` }
        : { type: 'accepted', actionId };
    }
    case 'not-found':
    case 'refused':
      return { type: 'refused', status: result.status, message: result.message };
    case 'failed':
      return result.acted === 'maybe'
        ? { type: 'ambiguous', message: result.message }
        : { type: 'retry', afterMs: result.afterMs, message: result.message };
  }
}
