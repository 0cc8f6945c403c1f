import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Environment } from './proxy.ts';

/** Where the bearer token comes from. Read anew whenever the server refuses the one that it was sent. */
export interface TokenSource {
  /** Null where no token is configured. @throws TokenError, which never holds the token. */
  read(): Promise<string | null>;
}

export class TokenError extends Error {
  override readonly name = 'TokenError';
}

const MAX_BYTES = 16_384;
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
      if (tokenFile !== null) return readToken(tokenFile, resolve(tokenFile) === credential, false);
      const fromCredential = credential === null ? null : await readToken(credential, true, true);
      if (fromCredential !== null) return fromCredential;
      const value = env['CEDANA_AUTH_TOKEN'];
      return value === undefined || value.trim() === '' ? null : sendable(value, 'CEDANA_AUTH_TOKEN');
    },
  };
}

/**
 * `trusted`: systemd keeps credentials where only the unit can go, with modes of its own (0440 with an ACL).
 * `optional`: a file that is not there is null.
 */
async function readToken(path: string, trusted: boolean, optional: boolean): Promise<string | null> {
  let file: FileHandle;
  try {
    // Not blocking, for a path that turns out to be a fifo.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (optional && code === 'ENOENT') return null;
    throw new TokenError(`the token file ${path} cannot be opened (${code})`, { cause: error });
  }
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw new TokenError(`the token file ${path} is not a regular file`);
    if (!trusted && (stat.mode & 0o066) !== 0) {
      throw new TokenError(
        `the token file ${path} can be read or written by others than its owner: chmod 600 it`,
      );
    }
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_BYTES + 1), 0, MAX_BYTES + 1, 0);
    if (bytesRead > MAX_BYTES)
      throw new TokenError(`the token file ${path} is larger than ${MAX_BYTES} bytes`);
    return sendable(buffer.toString('utf8', 0, bytesRead), `the token file ${path}`);
  } finally {
    await file.close();
  }
}

/** What an Authorization header can carry; anything else would fail deep in the HTTP client, with the value in hand. */
function sendable(text: string, where: string): string {
  const token = text.trim();
  if (token === '') throw new TokenError(`${where} is empty`);
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new TokenError(`${where} holds characters that a token cannot have`);
  return token;
}
