import type { Millis } from '../../vocabulary/job.ts';
import type { Staging } from './dump/staging.ts';
import { TransientError } from './dump/transient-error.ts';
import type { Source } from './source.ts';

const TRIES = 5;
const PAUSE_MS: Millis = 200;

/**
 * Takes a job's checkpoint, and does so again where it could not be taken in that very moment: a node that goes away
 * leaves no time for the next heartbeat. Not once it took `mostMs`, since a moment may as well last, and each try is a
 * whole dump. Rejects as `take` does.
 */
export async function retryTransient<T>(
  { clock, signal }: Pick<Source, 'clock' | 'signal'>,
  staging: Pick<Staging, 'empty'>,
  mostMs: Millis,
  take: () => Promise<T>,
): Promise<T> {
  const until = clock.now() + mostMs;
  for (let tries = 1; ; tries++) {
    try {
      return await take();
    } catch (error) {
      if (!((error as Error).cause instanceof TransientError) || tries === TRIES || clock.now() >= until)
        throw error;
    }
    await clock.sleep(PAUSE_MS, signal);
    await staging.empty();
  }
}
