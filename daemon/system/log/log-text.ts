/** One of pino's lines, parsed. */
interface Line {
  readonly level: string;
  readonly time: number;
  readonly msg?: string;
  readonly [field: string]: unknown;
}

const COLOURS: Readonly<Record<string, string>> = {
  warn: '\x1b[33m',
  error: '\x1b[31m',
  fatal: '\x1b[1;31m',
};

/**
 * Formats a JSON line for people: `2026-11-23 19:30:01 WARN  sentence  job=42 reason="node is gone"`. Always one line:
 * characters that end it or control the terminal are escaped. An error's stack is only in the JSON formats.
 */
export function textLine(json: string, colour: boolean): string {
  const { level, time, msg, ...fields } = JSON.parse(json) as Line;
  const label = level.toUpperCase().padEnd(5);
  const start = (colour && COLOURS[level]) || '';
  const words = [localTime(time), start ? `${start}${label}\x1b[0m` : label, escaped(msg ?? '')];
  const pairs = Object.entries(fields).map(([key, value]) => `${plain(key)}=${shown(value)}`);
  return `${words.join(' ')}${pairs.length > 0 ? `  ${pairs.join(' ')}` : ''}\n`;
}

function shown(value: unknown): string {
  if (isError(value)) return escaped(JSON.stringify(messages(value)));
  return typeof value === 'string' ? plain(value) : escaped(JSON.stringify(value));
}

function isError(value: unknown): value is { message: string; cause?: unknown } {
  return typeof value === 'object' && value !== null && 'stack' in value && 'message' in value;
}

function messages(error: { message: string; cause?: unknown }): string {
  return isError(error.cause) ? `${error.message}: ${messages(error.cause)}` : error.message;
}

/** A word is shown bare; anything else, the empty string too, in quotes. */
function plain(text: string): string {
  return /^[\p{L}\p{N}_./:@+-]+$/u.test(text) ? text : escaped(JSON.stringify(text));
}

/** Control characters of both sets, line ends of Unicode, and marks that turn text round, as `\uXXXX`. */
export function escaped(text: string): string {
  return text.replace(
    /[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** By hand: `Intl` maps 7 MB of ICU into memory. */
function localTime(time: number): string {
  const at = new Date(time);
  const two = (value: number) => String(value).padStart(2, '0');
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}
