import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { engineSchemaText } from '../../config/generate-schema.ts';
import { config, NEEDED, problems } from './support.ts';

const read = (name: string) => readFileSync(resolve(import.meta.dirname, '../../../config', name), 'utf8');
const untouched = read('ckptd-engine.yaml');
const example = untouched.replace(/^cluster_id: \S+/m, 'cluster_id: 0b7e6f1a-52b8-4a3c-9d5e-6f7a8b9c0d1e');
/** With every setting that is commented out taken in: `#key` and `#  key`, while prose begins with `# `. */
const withDefaults = example.replace(/^#(?=[a-z]| {2})/gm, '');
const committed = read('engine-schema.json');
const validate = new Ajv2020({ strict: true, strictRequired: false }).compile(JSON.parse(committed));

test('engine-schema.json is what the engine checks: node test/config/generate-schema.ts engine > config/engine-schema.json', () => {
  expect(committed).toBe(engineSchemaText());
});

test('as it is the example was never looked at, and is refused', () => {
  expect(problems(untouched)).toEqual([expect.stringContaining("cluster_id: is the example's")]);
});

test('once its cluster is set the example can be used, and has no mistake that an editor would mark', () => {
  expect(problems(example)).toEqual([]);
  expect(validate(parse(example))).toBe(true);
  expect(validate(parse(withDefaults))).toBe(true);
});

test('it tells the true default of every key', () => {
  const { listen, tokenFile, ...shown } = config(withDefaults, 'n1');
  expect({ ...shown, listen: null, tokenFile: null }).toEqual(config(example, 'n1'));
  // Shown, but without a default.
  expect([listen, tokenFile]).toEqual([{ host: '127.0.0.1', port: 8043 }, '/etc/ckptd/engine-token']);
});

test('it has each key of the schema, and no other', () => {
  const { properties } = JSON.parse(committed) as { properties: Record<string, { properties?: object }> };
  const keys = (data: object) =>
    Object.entries(data)
      .flatMap(([key, value]) => [
        key,
        ...(value instanceof Object && !Array.isArray(value) ? Object.keys(value) : []),
      ])
      .sort();
  const wanted = Object.entries(properties).flatMap(([key, block]) => [
    key,
    ...Object.keys(block.properties ?? {}),
  ]);
  expect(keys(parse(withDefaults))).toEqual(wanted.sort());
});

test.each([
  ['cluster_id: 7\ndir: /x\n'],
  ['dir: /x\n'],
  [`${NEEDED}kep: 3\n`],
  [`${NEEDED}keep: 0\n`],
  [`${NEEDED}socket: {mode: "0666"}\n`],
])('an editor marks %j', (text) => {
  expect(validate(parse(text))).toBe(false);
});
