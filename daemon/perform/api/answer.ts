import { cleanText } from '../../system/log/clean-text.ts';

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * Reads the id in a 200's text/plain body, which may be in double quotes (facts/cedana-api.md). Null if it is no UUID.
 * Its case is kept, since later requests name it by exactly this text.
 */
export function parseActionId(body: string): string | null {
  const text = body.trim();
  const bare = text.length >= 2 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text;
  return UUID.test(bare) ? bare : null;
}

/** Parses the server's JSON; undefined for anything else. */
export function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

/**
 * Formats a 4xx or 5xx for the log: `HTTP 500: message (code, details)`. ApiError is `{message, code: string or null,
 * details: anything}`. A proxy's text is taken as it is, but an HTML page is only named.
 */
export function errorMessage(status: number, body: string): string {
  const said = apiError(parseJson(body)) ?? plainText(body);
  return said === '' ? `HTTP ${status}` : `HTTP ${status}: ${said}`;
}

function apiError(value: unknown): string | null {
  if (!isRecord(value) || typeof value['message'] !== 'string') return null;
  const extra = [value['code'], value['details']].map(brief).filter((text) => text !== '');
  const message = cleanText(value['message']);
  return extra.length === 0 ? message : `${message} (${extra.join(', ')})`;
}

function plainText(body: string): string {
  const text = cleanText(body, 200);
  return /^</.test(text) ? 'an HTML page' : text;
}

function brief(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'string') return cleanText(value, 200);
  try {
    return cleanText(JSON.stringify(value), 200);
  } catch {
    // Nested deeper than the stack.
    return '';
  }
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
