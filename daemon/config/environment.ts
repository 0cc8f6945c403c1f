import { isMapping } from './schema/block.ts';
import { Secret } from './secret.ts';

/** The variables that Cedana's own tools use too. An empty one counts as not set. */
export interface Environment {
  readonly CEDANA_URL?: string | undefined;
  readonly CEDANA_CLUSTER_ID?: string | undefined;
  readonly CEDANA_AUTH_TOKEN?: string | undefined;
}

/** A key that needs a value, from the file or else from a variable. */
export interface Fillable {
  readonly path: readonly [block: string, key: string] | readonly [key: string];
  readonly variable: keyof Environment;
}

const FILLABLE: readonly Fillable[] = [
  { path: ['cluster_id'], variable: 'CEDANA_CLUSTER_ID' },
  { path: ['api', 'url'], variable: 'CEDANA_URL' },
];

export interface Filled {
  /** The file's data, and what the environment adds to it. */
  readonly data: unknown;
  readonly fromVariable: readonly Fillable[];
  /** In neither place. */
  readonly missing: readonly Fillable[];
}

/** Leaves anything of a wrong shape as it is: that is the schema's to report. */
export function fillFromEnvironment(data: unknown, env: Environment): Filled {
  const fromVariable: Fillable[] = [];
  const missing: Fillable[] = [];
  const fill = (holder: unknown, fillable: Fillable, path: readonly string[]): unknown => {
    const [name, ...rest] = path;
    if (!isMapping(holder) || name === undefined) return holder;
    if (rest.length > 0) {
      const inner = Object.hasOwn(holder, name) ? holder[name] : {};
      return { ...holder, [name]: fill(inner, fillable, rest) };
    }
    if (Object.hasOwn(holder, name)) return holder;
    const value = env[fillable.variable]?.trim() ?? '';
    (value === '' ? missing : fromVariable).push(fillable);
    return value === '' ? holder : { ...holder, [name]: value };
  };
  const filled = FILLABLE.reduce((soFar, fillable) => fill(soFar, fillable, fillable.path), data);
  return { data: filled, fromVariable, missing };
}

/** The token of the environment; null when there is none, undefined when it cannot be sent in a header. */
export function tokenOf(env: Environment): Secret | null | undefined {
  const token = env.CEDANA_AUTH_TOKEN?.trim() ?? '';
  if (token === '') return null;
  return /^[\x21-\x7e]{1,16384}$/.test(token) ? new Secret(token) : undefined;
}
