import { createHash, timingSafeEqual } from 'node:crypto';
import { readTokenFile, TokenError } from '../../config/token-file.ts';
import { RequestError } from '../../http/reply.ts';
import type { Log } from '../../system/ports.ts';
import { refusal } from './route.ts';

/** @throws TokenError unless the file holds a token that only root can read. */
export async function readServerToken(path: string): Promise<string> {
  const token = await readTokenFile(path);
  if (token === null) throw new TokenError(`the token file ${path} holds no token`);
  return token;
}

/**
 * Lets through whoever sends the token that is in the file now: a new one counts at once.
 * @throws RequestError 401, or 500 where the file cannot be used any more.
 */
export async function mustBearToken(
  authorization: string | undefined,
  path: string,
  log: Log,
): Promise<void> {
  let token: string;
  try {
    token = await readServerToken(path);
  } catch (error) {
    if (!(error instanceof TokenError)) throw error;
    log.error({ err: error }, `nobody is served over TCP: ${error.message}`);
    throw refusal(500, 'the engine cannot read its own token: see its log');
  }
  const sent = /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1] ?? '';
  // Of equal length, and compared in a time that tells nothing of where they differ.
  if (timingSafeEqual(digest(sent), digest(token))) return;
  throw new RequestError(
    401,
    '401',
    sent === '' ? 'a bearer token is needed' : 'the bearer token is not the right one',
    {
      headers: { 'WWW-Authenticate': 'Bearer' },
    },
  );
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
