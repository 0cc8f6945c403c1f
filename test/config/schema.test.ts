import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { BAD_FILES } from './bad-files.ts';
import { schemaText } from './generate-schema.ts';

const FOLDER = resolve(import.meta.dirname, '../../config');
const committed = readFileSync(resolve(FOLDER, 'schema.json'), 'utf8');
const validate = new Ajv2020({ strict: true, strictRequired: false }).compile(JSON.parse(committed));

test('schema.json is what the daemon checks: node test/config/generate-schema.ts > config/schema.json', () => {
  expect(committed).toBe(schemaText());
});

test.each(['ckptd-cedana.yaml', 'ckptd.yaml'])('%s has no mistake that an editor would mark', (name) => {
  expect(validate(parse(readFileSync(resolve(FOLDER, name), 'utf8')))).toBe(true);
});

test.each(BAD_FILES.filter(({ inEditor }) => inEditor !== null))(
  'an editor marks $text: $inEditor',
  ({ text, inEditor }) => {
    expect(validate(parse(text, { schema: 'core' }))).toBe(!inEditor);
  },
);
