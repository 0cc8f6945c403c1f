import type { Clock, Log } from '../../system/ports.ts';
import type { EpochMs, Millis } from '../../vocabulary/job.ts';
import { credentialsWait } from './retries.ts';
import type { TokenSource } from './token.ts';

/**
 * The token that is in use, and whether the server takes it. The state changes when the server refuses a token
 * that the source does not replace, or when the source itself fails (alarm, once), and when the server takes a
 * token again (said, once).
 */
export interface Credentials {
  /** The token to send, or null to send none. @throws TokenError */
  current(): Promise<string | null>;
  /** The server refused `used`: whether another token is there now, to be tried at once. */
  replaced(used: string | null): Promise<boolean>;
  /** Nothing can be sent until someone acts: raises the alarm, and says how long to wait. */
  trouble(message: string): Millis;
  /** The server took the token. */
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
      // In trouble the source is asked every time: that is how the repair is noticed.
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
