/** One thing that is wrong with a configuration, for a person to mend. */
export interface Problem {
  /** The file as it was named, or `environment variable CEDANA_URL`. */
  readonly source: string;
  /** From 1; null where the problem has no place in a file. */
  readonly line: number | null;
  /** From 1, in UTF-16 units; null exactly where `line` is. */
  readonly column: number | null;
  /** For example `policies[1].heartbeat.every`; empty where the file as a whole is meant. */
  readonly path: string;
  /** What is wrong, and what would be right. Never holds a value that could be a secret. */
  readonly reason: string;
}

/** More than this many are counted, not listed: nobody reads them, and a binary file has thousands. */
const MOST_LISTED = 50;

/** The configuration cannot be used; the caller ends with 78 (EX_CONFIG of sysexits.h). */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[], options?: ErrorOptions) {
    super(renderProblems(problems), options);
    this.problems = problems;
  }
}

/** One line: `file:line:column: path: reason`, the form that editors and grep understand. */
export function renderProblem(problem: Problem): string {
  const place = problem.line === null ? '' : `:${problem.line}:${problem.column}`;
  const path = problem.path === '' ? '' : `${problem.path}: `;
  return `${problem.source}${place}: ${path}${problem.reason}`;
}

function renderProblems(problems: readonly Problem[]): string {
  const lines = problems.slice(0, MOST_LISTED).map(renderProblem);
  if (problems.length > MOST_LISTED) lines.push(`… and ${problems.length - MOST_LISTED} more`);
  return lines.join('\n');
}

/** `['policies', 1, 'match']` → `policies[1].match`. A key that is no plain word is quoted: `["a b"]`. */
export function pathText(path: readonly (string | number)[]): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`;
    if (!/^\w[\w-]{0,63}$/.test(step)) return `${text}[${JSON.stringify(step.slice(0, 64))}]`;
    return text === '' ? step : `${text}.${step}`;
  }, '');
}
