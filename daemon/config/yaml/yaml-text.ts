import { LineCounter, parseDocument } from 'yaml';
import { type Path, toData } from './yaml-data.ts';
import { type Span, spanFinder, spanOf } from './yaml-span.ts';

export interface Place {
  readonly line: number;
  readonly column: number;
  /** Whether the thing there ended before the first error of syntax, so that its value can be believed. */
  readonly trusted: boolean;
}

export interface Fault {
  readonly place: Place;
  readonly path: Path;
  readonly reason: string;
}

export interface YamlText {
  /** Mappings without a prototype, arrays, and scalars; null for an empty document. */
  readonly data: unknown;
  /** Errors of syntax, keys that are there twice, aliases of nothing. */
  readonly faults: readonly Fault[];
  /** Where a key, or the value at it, stands. What is not there has the place of what would hold it. */
  locate(path: Path, what: 'key' | 'value'): Place;
}

/**
 * Reads one YAML 1.2 document, in time and memory that grow with its length alone. Aliases share the value of
 * their anchor, so that a bomb of aliases stays small; merge keys and tags are not known. Never throws.
 */
export function parseYaml(text: string): YamlText {
  const counter = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: counter,
    // The parser compares every key with every other, and names one fault a mapping; `read` does it below.
    uniqueKeys: false,
    stringKeys: true,
    prettyErrors: false,
    // Said here so that a %YAML directive cannot bring back 1.1, where `on` is true and `0600` is 384.
    version: '1.2',
    schema: 'core',
    merge: false,
    resolveKnownTags: false,
    // `silent` would also let a second document pass unseen.
    logLevel: 'error',
  });
  const firstError = document.errors.reduce(
    (first, { pos }) => Math.min(first, pos[0]),
    Number.POSITIVE_INFINITY,
  );
  const whole: Span = [0, text.length];
  const place = ([start, end]: Span): Place => {
    const { line, col } = counter.linePos(start);
    return { line: Math.max(1, line), column: Math.max(1, col), trusted: end < firstError };
  };
  const span = spanFinder(document.contents, whole);
  const faults: Fault[] = firstOfEachLine(
    [...document.errors, ...document.warnings].map(({ pos, code, message }) => ({
      place: place(pos),
      path: [],
      reason: code === 'MULTIPLE_DOCS' ? 'begins a second document, which nothing would read' : message,
    })),
  );
  const data = toData(document.contents, (node, path, reason) => {
    faults.push({ place: place(spanOf(node, whole)), path, reason });
  });
  return { data, faults, locate: (path, what) => place(span(path, what)) };
}

/** An unquoted `*` makes four errors of one mistake. */
function firstOfEachLine(faults: readonly Fault[]): Fault[] {
  const lines = new Set<number>();
  return faults.filter(({ place: { line } }) => lines.size < lines.add(line).size);
}
