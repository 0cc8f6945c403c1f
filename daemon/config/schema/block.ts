import * as v from 'valibot';
import { closest } from './suggest.ts';

/**
 * A mapping with these keys and no others. Differs from valibot's own `strictObject`, whose JSON Schema it
 * has: every unknown key is reported, not the first alone, and a list is no mapping.
 */
export function block<const Entries extends v.ObjectEntries>(entries: Entries) {
  const known = Object.keys(entries);
  const strict = v.strictObject(entries, (issue: v.BaseIssue<unknown>) =>
    issue.received === 'undefined' ? 'is missing' : mustBe('a mapping of keys to values', issue.input),
  );
  const loose = v.object(entries, strict.message);
  const run: (typeof strict)['~run'] = (dataset, config) => {
    const input = dataset.value;
    if (!isMapping(input)) {
      v._addIssue(strict, 'type', dataset, config);
      return dataset as unknown as ReturnType<typeof run>;
    }
    const output = loose['~run'](dataset, config);
    for (const key of Object.keys(input)) {
      if (Object.hasOwn(entries, key)) continue;
      v._addIssue(strict, 'key', output, config, {
        path: [{ type: 'object', origin: 'key', input, key, value: null }],
        message: unknownKey(key, known),
      });
    }
    return output as ReturnType<typeof run>;
  };
  return { ...strict, '~run': run };
}

export function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A key that may be left out, with the default as the file would have it. `says` explains it to editors. */
export function key<const Schema extends v.GenericSchema>(
  says: string,
  schema: Schema,
  fallback: v.InferInput<Schema>,
) {
  return v.pipe(v.optional(schema, fallback), v.description(says));
}

/** A key that may be left out, and is then absent from the output. */
export function optionalKey<const Schema extends v.GenericSchema>(says: string, schema: Schema) {
  return v.pipe(v.exactOptional(schema), v.description(says));
}

/** A key that has to be there. */
export function requiredKey<const Schema extends v.GenericSchema>(says: string, schema: Schema) {
  return v.pipe(schema, v.description(says));
}

/** The reason for a value of a wrong type. Text is not repeated, for it could be a secret. */
export function mustBe(what: string, input: unknown): string {
  if (input === null || input === undefined) return `is empty, and must be ${what}`;
  return `must be ${what}, not ${describe(input)}`;
}

function describe(input: unknown): string {
  if (Array.isArray(input)) return 'a list';
  if (typeof input === 'number') return `the number ${input}`;
  if (typeof input === 'boolean') return `${input}`;
  return typeof input === 'string' ? 'text' : 'a mapping';
}

function unknownKey(name: string, known: readonly string[]): string {
  const meant = closest(name, known);
  return meant === null
    ? `unknown key; known here: ${known.join(', ')}`
    : `unknown key; did you mean ${meant}?`;
}
