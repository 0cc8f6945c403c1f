import { retryUntil } from '../../system/async/retry.ts';
import type { Clock, Log } from '../../system/ports.ts';
import type { EpochMs, Millis } from '../../vocabulary/job.ts';
import type { Outcome } from '../../vocabulary/outcome.ts';
import { pollWait } from './retries.ts';
import type { StatusReader } from './status.ts';

export interface ReadyRequest {
  readonly actionId: string;
  /** No poll and no wait goes on past this time. */
  readonly expiresAt: EpochMs;
}

/**
 * Polls until the checkpoint is ready or has failed, or no time is left. On a server without a status route it counts
 * as ready at once: such a server says nothing more. A failed checkpoint is `refused` with status 200. Rejects only
 * with the signal's reason.
 */
export async function awaitReady(
  deps: {
    readonly status: StatusReader;
    readonly clock: Clock;
    readonly log: Log;
    readonly random: () => number;
    readonly timeoutMs: Millis;
  },
  request: ReadyRequest,
  signal: AbortSignal,
): Promise<Outcome> {
  const { status, clock, log, random } = deps;
  const { actionId, expiresAt } = request;
  let message = 'no time was left to ask';

  return retryUntil<Outcome>({ clock, signal, until: expiresAt }, async (polls) => {
    const left = expiresAt - clock.now();
    if (left <= 0) return { done: { type: 'unavailable', message } };
    const reading = await status.read(actionId, Math.min(deps.timeoutMs, left), signal);
    if (reading.type === 'ready' || reading.type === 'no-status') {
      return { done: { type: 'ready', readyAt: clock.now() } };
    }
    if (reading.type === 'failed')
      return { done: { type: 'refused', status: 200, message: reading.message } };
    if (reading.type === 'refused') return { done: reading };

    message = reading.message;
    const asked = reading.type === 'unavailable' ? reading.afterMs : null;
    const wait = asked ?? pollWait(polls, random);
    log.debug({ actionId, polls: polls + 1, wait_ms: wait, message }, 'a checkpoint is not ready yet');
    return { againAfter: wait, last: { type: 'unavailable', message } };
  });
}
