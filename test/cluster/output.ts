/** What the output of a counting job (test/jobs) says of its life. */
export interface Counted {
  /** Where it began; one that begins twice was not restored. */
  readonly starts: readonly string[];
  /** The last number, and how far it says itself that it came; null: it has not ended. */
  readonly count: number;
  readonly last: number | null;
  /** A number that is missing, twice or out of its place, and every line that no counting job writes. */
  readonly problems: readonly string[];
}

/** Reads it number by number. `expected` are lines that may be there besides, like a trap's. */
export function counted(text: string, expected: readonly string[] = []): Counted {
  const starts: string[] = [];
  const problems: string[] = [];
  let [count, last]: [number, number | null] = [0, null];
  for (const [at, line] of text.split('\n').slice(0, -1).entries()) {
    const [, start, number, end] = /^(?:start on (\S+)|i=(\d+)|last=(\d+))$/.exec(line) ?? [];
    if (start !== undefined) starts.push(start);
    else if (number !== undefined) {
      if (Number(number) !== count + 1) problems.push(`line ${at + 1}: ${number} follows ${count}`);
      count = Number(number);
    } else if (end !== undefined) {
      if (Number(end) !== count || last !== null) problems.push(`line ${at + 1}: ends at ${end}`);
      last = Number(end);
    } else if (!expected.includes(line)) problems.push(`line ${at + 1}: ${line.slice(0, 200)}`);
  }
  if (text !== '' && !text.endsWith('\n')) problems.push('the last line is cut off');
  return { starts, count, last, problems };
}
