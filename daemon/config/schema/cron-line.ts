import { validateDetailed } from 'node-cron';

/** Heartbeats closer together than this are no longer checkpoints of a job but its main work. */
const LEAST_SECONDS_APART = 10;

/** Five or six fields, or a nickname such as `@hourly`. Also a pattern of `config/schema.json`. */
export const CRON_SHAPE = /^\s*(@[a-z]+|\S+(\s+\S+){4,5})\s*$/;

/** What is wrong with a cron line as node-cron would run it, or null. */
export function cronProblem(line: string): string | null {
  if (!CRON_SHAPE.test(line)) return 'must have five fields (or six, with seconds first), or be like @hourly';
  // node-cron 4.6 expands a range before it checks its ends: `0-99999999` takes all of the memory.
  const long = /\d{3,}/.exec(line);
  if (long !== null) return `${long[0].slice(0, 20)} is out of range`;
  const { valid, errors, fields } = validateDetailed(line);
  if (!valid || fields === undefined) return errors.map(describe).join('; ');
  if (secondsApart(fields.second) < LEAST_SECONDS_APART) {
    return `must not fire more often than every ${LEAST_SECONDS_APART}s`;
  }
  return null;
}

function describe(error: {
  readonly field: string;
  readonly value?: string;
  readonly message: string;
}): string {
  if (error.field === 'expression') return error.message;
  const field = error.field.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  return `${JSON.stringify(error.value)} is not possible as ${field}`;
}

/** The smallest distance within a minute and over its end. */
function secondsApart(seconds: readonly number[]): number {
  const sorted = [...new Set(seconds)].sort((a, b) => a - b);
  return Math.min(...sorted.map((second, index) => (sorted[index + 1] ?? sorted[0]! + 60) - second));
}
