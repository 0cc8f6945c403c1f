import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

/** A token that is there and cannot be used; never holds it. */
export class TokenError extends Error {
  override readonly name = 'TokenError';
}

const MAX_BYTES = 16_384;

/**
 * The bearer token in a file, for root alone.
 * `trusted`: systemd keeps credentials where only the unit can go, with modes of its own (0440 with an ACL).
 * `optional`: a file that is not there is null.
 *
 * @throws TokenError
 */
export async function readTokenFile(
  path: string,
  { trusted = false, optional = false } = {},
): Promise<string | null> {
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
export function sendable(text: string, where: string): string {
  const token = text.trim();
  if (token === '') throw new TokenError(`${where} is empty`);
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new TokenError(`${where} holds characters that a token cannot have`);
  return token;
}
