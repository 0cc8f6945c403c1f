import { join, resolve } from 'node:path';
import { readTokenFile, sendable, TokenError } from '../../config/token-file.ts';
import type { Environment } from './connection/proxy.ts';

/** Where the bearer token comes from. Read anew whenever the server refuses the one that it was sent. */
export interface TokenSource {
  /** Null where no token is configured. @throws TokenError, which never holds the token. */
  read(): Promise<string | null>;
}

export { TokenError };

const CREDENTIAL = 'cedana-token';

/**
 * `api.token_file`, else the systemd credential `cedana-token`, else CEDANA_AUTH_TOKEN. One that is there but
 * cannot be used is an error, and never passed over for the next.
 */
export function tokenSource(tokenFile: string | null, env: Environment): TokenSource {
  const credentials = env['CREDENTIALS_DIRECTORY'];
  const credential = credentials === undefined ? null : join(credentials, CREDENTIAL);
  return {
    async read() {
      if (tokenFile !== null) return readTokenFile(tokenFile, { trusted: resolve(tokenFile) === credential });
      const fromCredential =
        credential === null ? null : await readTokenFile(credential, { trusted: true, optional: true });
      if (fromCredential !== null) return fromCredential;
      const value = env['CEDANA_AUTH_TOKEN'];
      return value === undefined || value.trim() === '' ? null : sendable(value, 'CEDANA_AUTH_TOKEN');
    },
  };
}
