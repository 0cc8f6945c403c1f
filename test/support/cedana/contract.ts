import { readFileSync } from 'node:fs';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

/** The calls that the stand-in serves; the last two are not ckptd's own but its users' and the engine's. */
export type RouteName = 'checkpoint' | 'restore' | 'status' | 'list' | 'deprecate' | 'user';

export interface Route {
  readonly name: RouteName;
  readonly method: 'GET' | 'POST' | 'PATCH';
  readonly path: RegExp;
}

const ROUTES: readonly Route[] = [
  { name: 'checkpoint', method: 'POST', path: /^\/v2\/slurm\/checkpoint\/job$/ },
  { name: 'restore', method: 'POST', path: /^\/v2\/slurm\/restore\/job$/ },
  { name: 'status', method: 'GET', path: /^\/v2\/checkpoint\/status\/([^/]+)$/ },
  { name: 'list', method: 'GET', path: /^\/v2\/slurm\/checkpoints$/ },
  { name: 'deprecate', method: 'PATCH', path: /^\/v2\/slurm\/checkpoints\/deprecate\/([^/]+)$/ },
  { name: 'user', method: 'GET', path: /^\/v2\/user$/ },
];

export interface Matched {
  readonly route: Route;
  /** The `{id}` in the path, or an empty string. */
  readonly id: string;
}

export function match(method: string, url: string): Matched | null {
  for (const route of ROUTES) {
    const found = route.method === method ? route.path.exec(url) : null;
    if (found !== null) return { route, id: found[1] ?? '' };
  }
  return null;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const validators = {
  checkpoint: compile('openapi-checkpoint.json', 'CheckpointSlurmJob'),
  restore: compile('openapi-restore.json', 'RestoreSlurmJob'),
};

/**
 * What is wrong with a request, one sentence each: against the OpenAPI text (verbatim beside this file), and
 * against what facts/cedana-api.md and this project demand beyond it.
 */
export function deviations(
  matched: Matched,
  headers: Readonly<Record<string, string | string[] | undefined>>,
  body: string,
): string[] {
  const wrong: string[] = [];
  if (!/^Bearer [\x21-\x7e]+$/.test(String(headers['authorization'] ?? 'Bearer none'))) {
    wrong.push('authorization is not a bearer token');
  }
  const { name } = matched.route;
  if (name !== 'checkpoint' && name !== 'restore') {
    if (body !== '') wrong.push('a body where none belongs');
    if (matched.id !== '' && !UUID.test(matched.id)) wrong.push('the id in the path is not a UUID');
    return wrong;
  }
  if (headers['content-type'] !== 'application/json') wrong.push('content-type is not application/json');
  if (headers['content-length'] !== String(Buffer.byteLength(body))) wrong.push('content-length is missing');
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    return [...wrong, 'the body is not JSON'];
  }
  const validate = validators[name];
  if (!validate(json)) {
    wrong.push(
      ...(validate.errors ?? []).map((error) => `${error.instancePath || 'body'} ${error.message ?? ''}`),
    );
  }
  return [...wrong, ...(name === 'checkpoint' ? checkpointRules(json) : restoreRules(json))];
}

function checkpointRules(json: unknown): string[] {
  const job = json as Record<string, unknown>;
  const wrong = ['job_id', 'job_name', 'kind', 'reason']
    .filter((key) => typeof job[key] !== 'string')
    .map((key) => `${key} is not sent, which Cedana's own client always does`);
  if ('action_id' in job) wrong.push('action_id is read-only and was sent');
  if (typeof job['job_id'] === 'string' && !/^[1-9]\d*$/.test(job['job_id'])) {
    wrong.push('job_id is not a string of digits');
  }
  return wrong;
}

function restoreRules(json: unknown): string[] {
  const restore = json as Record<string, unknown>;
  return ['action_id', 'cluster_id']
    .filter((key) => !UUID.test(String(restore[key])))
    .map((key) => `${key} is not a UUID`);
}

/** The schema as the OpenAPI text has it, with properties that it does not name forbidden. */
function compile(file: string, name: string): ValidateFunction {
  const document = JSON.parse(readFileSync(new URL(file, import.meta.url), 'utf8'));
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  ajv.addSchema({ ...document, $id: file });
  return ajv.compile({
    $ref: `${file}#/components/schemas/${name}`,
    type: 'object',
    unevaluatedProperties: false,
  });
}
