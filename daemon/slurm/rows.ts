import { randomInt } from 'node:crypto';

/**
 * How fields of Slurm's output are told apart. Slurm escapes nothing: a job's name may hold newlines, tabs and
 * every control byte. So each field ends with a mark that no user can guess, and no text can imitate the end of
 * a field or the beginning of a row.
 */
export type Mark = string & { readonly isMark: true };

const LETTERS = 'abcdefghijklmnopqrstuvwxyz';

/**
 * A mark of this process: unit separator and 24 letters (113 bits). Slurm 22.05, 24.11 and 26.05 take any suffix
 * after `Field:` of at least 300 bytes; only a leading digit (a width), a leading `.` (right-justified) and a
 * comma (the next field) mean something.
 */
export function newMark(): Mark {
  return `\x1f${Array.from({ length: 24 }, () => LETTERS[randomInt(LETTERS.length)]).join('')}` as Mark;
}

/** For `-O`, or `SQUEUE_FORMAT2`: `Field:<mark>` also lifts the cut after 20 characters. */
export function formatOf(fields: readonly string[], mark: Mark): string {
  return fields.map((field) => `${field}:${mark}`).join(',');
}

/**
 * The rows, of `width` fields each. Bytes that are not UTF-8 become U+FFFD. Null where the output is not made of
 * whole rows: it was cut, or something else wrote into it.
 */
export function splitRows(stdout: Buffer, mark: Mark, width: number): string[][] | null {
  if (stdout.length === 0) return [];
  const parts = stdout.toString('utf8').split(mark);
  if (parts.pop() !== '\n' || parts.length === 0 || parts.length % width !== 0) return null;
  const rows: string[][] = [];
  for (let start = 0; start < parts.length; start += width) {
    const row = parts.slice(start, start + width);
    if (start > 0) {
      if (!row[0]!.startsWith('\n')) return null;
      row[0] = row[0]!.slice(1);
    }
    rows.push(row);
  }
  return rows;
}
