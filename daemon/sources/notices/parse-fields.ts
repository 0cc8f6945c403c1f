/** Parses JSON from outside; `undefined`, which is no JSON value, for text that is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A string of at most `most` characters, trimmed; null for everything else. */
export function textOf(value: unknown, most = 256): string | null {
  return typeof value === 'string' && value.length <= most ? value.trim() : null;
}
