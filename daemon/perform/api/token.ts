import { join, resolve } from 'node:path';
import { readTokenFile, sendable, TokenError } from '../../config/token-file.ts';
import type { Environment } from './connection/proxy.ts';

/** The source of the bearer token. It is read again whenever the server refuses a token. */
export interface TokenSource {
  /** Null where no token is configured. @throws TokenError, which never holds the token. */
  read(): Promise<string | null>;
}

export { TokenError };

const CREDENTIAL = 'cedana-token';

/**
 * `api.token_file`, else the systemd credential `cedana-token`, else CEDANA_AUTH_TOKEN. A source that exists but cannot
 * be used is an error; the next one is not tried then.
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
