import type { Clock, Log } from '../../system/ports.ts';
import type { EpochMs, Millis } from '../../vocabulary/job.ts';
import { credentialsWait } from './retries.ts';
import type { TokenSource } from './token.ts';

/**
 * The token in use, and whether the server accepts it. There is one alarm when the server refuses a token that the
 * source does not replace, or when the source itself fails, and one log line when the server accepts a token again.
 */
export interface Credentials {
  /** The token to send, or null to send none. @throws TokenError */
  current(): Promise<string | null>;
  /** The server refused `used`: true if there is another token now, to be tried at once. */
  replaced(used: string | null): Promise<boolean>;
  /** Nothing can be sent until an administrator acts: raises the alarm, and returns the time to wait. */
  trouble(message: string): Millis;
  /** The server accepted the token. */
  accepted(): void;
}

export function createCredentials(deps: {
  /** Named in the alarm: an administrator may have several. */
  readonly clusterId: string;
  readonly token: TokenSource;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
}): Credentials {
  const { token, clock, log, random } = deps;
  let held: { readonly value: string | null } | null = null;
  let troubleSince: EpochMs | null = null;

  return {
    async current() {
      // In trouble the source is read every time, to notice the repair.
      if (held === null || troubleSince !== null) held = { value: await token.read() };
      return held.value;
    },
    async replaced(used) {
      held = { value: await token.read() };
      return held.value !== used;
    },
    trouble(message) {
      if (troubleSince === null) {
        troubleSince = clock.now();
        log.fatal(
          { clusterId: deps.clusterId, reason: message },
          'the API token is not usable: no job is saved until it is replaced',
        );
      }
      return credentialsWait(clock.now() - troubleSince, random);
    },
    accepted() {
      if (troubleSince === null) return;
      troubleSince = null;
      log.info({}, 'the API takes the token again');
    },
  };
}
