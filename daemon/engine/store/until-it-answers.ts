import { doubled } from '../../system/async/backoff.ts';
import type { Clock } from '../../system/ports.ts';
import type { Millis } from '../../vocabulary/job.ts';

const FIRST_PAUSE_MS: Millis = 5_000;
const LONGEST_PAUSE_MS: Millis = 60_000;

/**
 * What the store did not take is tried again after a while, until `attempt` says that it is done: a store that hangs
 * comes back. Resolves to false where the engine ends before. Rejects as `attempt` does.
 */
export async function untilItAnswers(
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
  attempt: () => Promise<boolean>,
): Promise<boolean> {
  for (let tries = 0; ; tries++) {
    try {
      await clock.sleep(doubled(tries, FIRST_PAUSE_MS, LONGEST_PAUSE_MS), signal);
    } catch {
      return false;
    }
    if (await attempt()) return true;
  }
}
