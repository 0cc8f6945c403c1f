import type { BaseIssue } from 'valibot';
import type { Environment, Filled } from './environment.ts';
import { type Problem, pathText } from './problem.ts';
import type { Path } from './yaml/yaml-data.ts';
import type { YamlText } from './yaml/yaml-text.ts';

/** Where the data of a configuration came from, to say where a problem is. */
export interface Origin {
  readonly file: string;
  readonly yaml: YamlText;
  readonly filled: Filled;
}

/** What the YAML reader found. */
export function syntaxProblems({ file, yaml }: Origin): Problem[] {
  return yaml.faults.map(({ place, path, reason }) => ({
    source: file,
    line: place.line,
    column: place.column,
    path: pathText(path),
    reason,
  }));
}

/** What the schema found, as far as it does not only follow from an error of syntax. */
export function issueProblems(issues: readonly BaseIssue<unknown>[], origin: Origin): Problem[] {
  const faulty = new Set(origin.yaml.faults.map(({ path }) => pathText(path)).filter((path) => path !== ''));
  return issues.flatMap((issue) => {
    const steps = issue.path ?? [];
    const path = steps.map((step) => step.key as string | number);
    if (faulty.has(pathText(path))) return [];
    const what = steps.at(-1)?.origin ?? 'value';
    return problemAt(path, what, issue.message, origin);
  });
}

/** What neither the file nor the environment says. */
export function missingProblems(origin: Origin): Problem[] {
  return origin.filled.missing.flatMap(({ path, variable }) =>
    problemAt(path, 'key', `is missing: set it here, or ${variable} in the environment`, origin),
  );
}

export function variableProblem(variable: keyof Environment, path: string, reason: string): Problem {
  return { source: `environment variable ${variable}`, line: null, column: null, path, reason };
}

export function problemAt(path: Path, what: 'key' | 'value', reason: string, origin: Origin): Problem[] {
  const text = pathText(path);
  const fill = origin.filled.fromVariable.find((fillable) => pathText(fillable.path) === text);
  if (fill !== undefined) return [variableProblem(fill.variable, text, reason)];
  const { line, column, trusted } = origin.yaml.locate(path, what);
  return trusted ? [{ source: origin.file, line, column, path: text, reason }] : [];
}
