/** JSON of somebody else; `undefined`, which JSON has not, where it is none. */
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

/** Text of at most `most` characters, without blanks at its ends; null for everything else. */
export function textOf(value: unknown, most = 256): string | null {
  return typeof value === 'string' && value.length <= most ? value.trim() : null;
}
