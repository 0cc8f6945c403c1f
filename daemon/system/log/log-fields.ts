/**
 * Prepares a log line's fields: a plain tree of bounded size without secrets. Never throws, whatever the fields are.
 */
export function printableFields(fields: object): Record<string, unknown> {
  try {
    return entriesOf(fields instanceof Error ? { err: fields } : (fields ?? {}), 0);
  } catch (error) {
    return { unprintable: error instanceof Error ? error.message : typeof error };
  }
}

/** A safety net only: callers do not log secrets. `token_file` is a path, and stays. */
const SECRET_KEY = /(?:token|authorization|password|secret|credential)s?$/i;
const BEARER = /\bBearer\s+[\w.~+/=-]+/gi;
/** pino's own keys: a field of that name would be a second one in the line, and win. */
const TAKEN = new Set(['level', 'time', 'msg']);

const MOST_DEPTH = 6;
const MOST_ITEMS = 100;
const LONGEST_STRING = 8_192;

export function printableText(text: string): string {
  const shown = text.replace(BEARER, 'Bearer [redacted]');
  return shown.length > LONGEST_STRING ? `${shown.slice(0, LONGEST_STRING)}…` : shown;
}

function printable(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return printableText(value);
  if (typeof value === 'bigint' || typeof value === 'symbol') return String(value);
  if (typeof value === 'function') return '[function]';
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= MOST_DEPTH) return '[too deep]';
  if (value instanceof Error) return errorOf(value, depth);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'no date' : value.toISOString();
  if (value instanceof Map) return `[map of ${value.size}]`;
  if (value instanceof Set) return printable([...value], depth);
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (Array.isArray(value)) return value.slice(0, MOST_ITEMS).map((item) => printable(item, depth + 1));
  if ('toJSON' in value && typeof value.toJSON === 'function') return printable(value.toJSON(), depth + 1);
  return entriesOf(value, depth);
}

function entriesOf(value: object, depth: number): Record<string, unknown> {
  const shown: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value).slice(0, MOST_ITEMS)) {
    const name = depth === 0 && TAKEN.has(key) ? `${key}_` : key;
    shown[name] = SECRET_KEY.test(key) && item !== undefined ? '[redacted]' : printable(item, depth + 1);
  }
  return shown;
}

/** The messages of an error and of its causes, and `code`. Other fields that libraries add are left out. */
function errorOf(error: Error, depth: number): Record<string, unknown> {
  const shown: Record<string, unknown> = { type: error.name, message: printableText(error.message) };
  if ('code' in error) shown['code'] = printable(error.code, depth + 1);
  if (typeof error.stack === 'string') shown['stack'] = printableText(error.stack);
  if (error.cause !== undefined) shown['cause'] = printable(error.cause, depth + 1);
  if (error instanceof AggregateError) shown['errors'] = printable(error.errors, depth + 1);
  if (error instanceof SuppressedError) {
    shown['error'] = printable(error.error, depth + 1);
    shown['suppressed'] = printable(error.suppressed, depth + 1);
  }
  return shown;
}
