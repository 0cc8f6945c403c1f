import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { CLUSTER_ID, COMPLETE, config, problems } from './support.ts';

function untouched(name: string): string {
  return readFileSync(resolve(import.meta.dirname, '../../config', name), 'utf8');
}

/** With what it says has to be set. */
function example(name: string): string {
  return untouched(name)
    .replace(/^cluster_id: \S+/m, `cluster_id: ${CLUSTER_ID}`)
    .replace('https://api.example.com', COMPLETE.CEDANA_URL);
}

test.each([
  [
    'ckptd-cedana.yaml',
    ["cluster_id: is the example's, which two clusters", "api.url: is the example's: set"],
  ],
  ['ckptd.yaml', ["cluster_id: is the example's, which two clusters"]],
])('%s as it is was never looked at, and is refused', (name, expected) => {
  const told = problems(untouched(name), {});
  expect(told).toHaveLength(expected.length);
  for (const [index, words] of expected.entries()) expect(told[index]).toContain(words);
});

/** With every setting that is commented out taken in: `#key` and `#  key`, while prose begins with `# `. */
function withDefaults(text: string): string {
  return text.replace(/^#(?=[a-z]| {2})/gm, '');
}

test.each([
  ['ckptd-cedana.yaml', COMPLETE.CEDANA_URL, 'cancel', 2],
  ['ckptd.yaml', 'unix:/run/ckptd-engine/api.sock', 'leave', 3],
])('%s can be used once that is set', (name, url, sourceJob, count) => {
  const { api, restore, policies } = config(example(name), {});
  expect(api.url).toBe(url);
  expect(restore).toMatchObject({ sourceJob, skipReasons: [/^maintenance/u] });
  expect(policies).toHaveLength(count);
});

test.each(['ckptd-cedana.yaml', 'ckptd.yaml'])('%s tells the true default of every key', (name) => {
  const text = example(name);
  expect(problems(withDefaults(text), {})).toEqual([]);
  const { api, ...rest } = config(withDefaults(text), {});
  const plain = config(text, {});
  expect(rest).toEqual({ ...plain, api: undefined });
  // Shown, but without a default.
  expect({ ...api, caFile: null }).toEqual(plain.api);
});

test.each(['ckptd-cedana.yaml', 'ckptd.yaml'])('%s has each key of the schema', (name) => {
  const schema = JSON.parse(example('schema.json')) as { properties: Record<string, Block> };
  const text = example(name);
  const silent = Object.entries(schema.properties)
    .flatMap(([key, block]) => [key, ...Object.keys(block.properties ?? {})])
    .filter((key) => !new RegExp(`\\b${key}:`).test(text));
  // The engine needs neither.
  expect(silent).toEqual(name === 'ckptd.yaml' ? ['token_file', 'ca_file'] : []);
});

interface Block {
  readonly properties?: Record<string, unknown>;
}
