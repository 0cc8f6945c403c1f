import type { IncomingMessage } from 'node:http';
import { RequestError } from './reply.ts';

export const MAX_BODY_BYTES = 64 * 1024;
/** How much is read past the limit, so that an honest client can read its 413 instead of a reset. */
const MAX_DISCARDED_BYTES = 1024 * 1024;

/**
 * Reads the body as JSON, whatever its content type; an empty one is `{}`. Bytes that are not UTF-8, which users' text
 * may contain, become U+FFFD. Rejects with RequestError 413 or 400; the server's request timeout bounds the time.
 */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  const text = (await readText(request)).trim();
  if (text === '') return {};
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new RequestError(400, 'bad-json', `the body is not JSON: ${(error as Error).message}`);
  }
}

/** The body as text; RequestError 413. */
export async function readText(request: IncomingMessage): Promise<string> {
  return (await readBytes(request)).toString('utf8');
}

async function readBytes(request: IncomingMessage): Promise<Buffer> {
  const kept: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= MAX_BODY_BYTES) kept.push(chunk);
    else kept.length = 0;
    if (size > MAX_BODY_BYTES + MAX_DISCARDED_BYTES) break;
  }
  if (size > MAX_BODY_BYTES) {
    throw new RequestError(413, 'body-too-large', `the body is over ${MAX_BODY_BYTES} bytes`);
  }
  return Buffer.concat(kept);
}

/** The body as an object with named fields, or RequestError 400. */
export async function readObject(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  const value = await readJson(request);
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new RequestError(400, 'bad-body', 'the body must be a JSON object');
}
