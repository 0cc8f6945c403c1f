import { retryUntil } from '../../system/async/retry.ts';
import type { Log } from '../../system/ports.ts';
import type { CheckpointKind, CheckpointReason, EpochMs, Millis } from '../../vocabulary/job.ts';
import type { Outcome } from '../../vocabulary/outcome.ts';
import { parseActionId } from './answer.ts';
import { type Attempt, type AttemptDeps, attempt } from './attempt.ts';
import { attemptWait, NOT_FOUND } from './retries.ts';

export interface CheckpointRequest {
  readonly jobId: number;
  readonly jobName: string;
  readonly kind: CheckpointKind;
  readonly reason: CheckpointReason;
  /** No attempt and no wait goes on past this time. */
  readonly expiresAt: EpochMs;
}

const ROUTE = '/v2/slurm/checkpoint/job';
const MAX_BYTES = 65_536;

type CheckpointOutcome = Extract<
  Outcome,
  { type: 'accepted' | 'not-checkpointable' | 'refused' | 'unavailable' }
>;

/**
 * Asks for a checkpoint until it is accepted or refused, or no time is left. An attempt is repeated even if the server
 * may have acted on it: one checkpoint too many is harmless. Rejects only with the signal's reason.
 */
export async function checkpoint(
  deps: AttemptDeps & { readonly log: Log; readonly timeoutMs: Millis },
  request: CheckpointRequest,
  signal: AbortSignal,
): Promise<CheckpointOutcome> {
  const { clock, counters, log, random } = deps;
  // `action_id` is read-only in the contract, and never sent.
  const json = {
    job_id: String(request.jobId),
    job_name: request.jobName,
    kind: request.kind,
    reason: request.reason,
  };
  let notFoundSince: EpochMs | null = null;
  let outcome: CheckpointOutcome = { type: 'unavailable', message: 'no time was left to ask' };

  return retryUntil<CheckpointOutcome>({ clock, signal, until: request.expiresAt }, async (tries) => {
    const left = request.expiresAt - clock.now();
    if (left <= 0) return { done: outcome };
    if (tries > 0) counters.retried('checkpoint');
    const timeoutMs = Math.min(deps.timeoutMs, left);
    const result = await attempt(
      deps,
      { route: 'checkpoint', method: 'POST', path: ROUTE, json, maxBytes: MAX_BYTES, timeoutMs },
      signal,
    );
    outcome = read(result);
    if (outcome.type === 'accepted' || outcome.type === 'refused') return { done: outcome };

    const now = clock.now();
    let wait: Millis;
    if (outcome.type === 'not-checkpointable') {
      notFoundSince ??= now;
      wait = NOT_FOUND.everyMs;
      if (now + wait > notFoundSince + NOT_FOUND.forMs) return { done: outcome };
    } else {
      wait = (result.type === 'failed' ? result.afterMs : null) ?? attemptWait(tries, random);
    }
    const fields = { jobId: request.jobId, tries: tries + 1, wait_ms: wait, problem: outcome.message };
    if (now + wait >= request.expiresAt) {
      log.debug(fields, 'gave up on a checkpoint: its time is over');
      return { done: outcome };
    }
    log[tries === 0 ? 'info' : 'debug'](fields, 'a checkpoint was not accepted: retrying');
    return { againAfter: wait, last: outcome };
  });
}

function read(result: Attempt): CheckpointOutcome {
  switch (result.type) {
    case 'answered': {
      const actionId = parseActionId(result.body);
      return actionId === null
        ? { type: 'unavailable', message: `HTTP ${result.status} without a checkpoint id` }
        : { type: 'accepted', actionId };
    }
    case 'not-found':
      return { type: 'not-checkpointable', message: result.message };
    case 'refused':
      return { type: 'refused', status: result.status, message: result.message };
    case 'failed':
      return { type: 'unavailable', message: result.message };
  }
}
