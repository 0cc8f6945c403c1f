import * as v from 'valibot';
import type { Config } from './config.ts';
import { type Environment, fillFromEnvironment, tokenOf } from './environment.ts';
import {
  issueProblems,
  missingProblems,
  type Origin,
  problemAt,
  syntaxProblems,
  variableProblem,
} from './origin.ts';
import { ConfigError, type Problem } from './problem.ts';
import { MOST_BYTES, readText, TOO_LONG } from './read-text.ts';
import { resolve } from './resolve.ts';
import { fileSchema, NODE_NAME } from './schema/file-schema.ts';
import { parseYaml } from './yaml/yaml-text.ts';

export interface Sources {
  /** Path of ckptd.yaml, as problems shall name it. */
  readonly file: string;
  readonly env: Environment;
  /** This machine's; what is before its first dot is the default of `slurm.node`. */
  readonly hostname: string;
}

/** The configuration of a file. Throws ConfigError, with everything that is wrong at once, and nothing else. */
export function loadConfig(sources: Sources): Config {
  return parseConfig(readText(sources.file), sources);
}

/** The configuration of a file's text. Throws ConfigError and nothing else. */
export function parseConfig(text: string, { file, env, hostname }: Sources): Config {
  if (Buffer.byteLength(text) > MOST_BYTES) {
    throw new ConfigError([{ source: file, line: null, column: null, path: '', reason: TOO_LONG }]);
  }
  const yaml = parseYaml(text);
  const filled = fillFromEnvironment(yaml.data ?? {}, env);
  const origin: Origin = { file, yaml, filled };
  const { output, issues, success } = v.safeParse(fileSchema, filled.data);
  const node = (success ? output.slurm.node : undefined) ?? hostname.replace(/\..*/s, '');
  const token = tokenOf(env);
  const problems = [
    ...syntaxProblems(origin),
    ...issueProblems(issues ?? [], origin),
    ...missingProblems(origin),
  ];
  if (token === undefined) {
    problems.push(variableProblem('CEDANA_AUTH_TOKEN', 'api.token_file', 'holds no bearer token'));
  }
  if (success && !NODE_NAME.test(node)) {
    problems.push(
      ...problemAt(['slurm', 'node'], 'key', 'is missing, and the host name is no node name', origin),
    );
  }
  const clusterId = success ? output.cluster_id : undefined;
  const address = success ? output.api.url : undefined;
  if (
    problems.length > 0 ||
    !success ||
    token === undefined ||
    clusterId === undefined ||
    address === undefined
  ) {
    throw new ConfigError(problems.toSorted(byPlace));
  }
  return resolve(output, { clusterId, address, node, token });
}

/** In the order of the file; what is in no file comes last. */
export function byPlace(a: Problem, b: Problem): number {
  const far = Number.MAX_SAFE_INTEGER;
  return (a.line ?? far) - (b.line ?? far) || (a.column ?? far) - (b.column ?? far);
}
