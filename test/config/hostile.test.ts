import { expect, test } from 'vitest';
import fc from '../support/properties.ts';
import { config, problems } from './support.ts';

const KIB = 1024;

/** Texts that make a parser that trusts its input slow, large, or crash; all just below the limit of size. */
const HOSTILE: Record<string, string> = {
  'brackets in brackets': '['.repeat(127 * KIB),
  'mappings in mappings': '{a: '.repeat(31 * KIB),
  'lists in lists': '- '.repeat(63 * KIB),
  'twenty thousand keys': Array.from({ length: 17_000 }, (_, index) => `k${index}:`).join('\n'),
  'the same key again and again': 'log:\n'.repeat(25 * KIB),
  'twenty thousand bad policies': `policies: [${'a,'.repeat(63 * KIB)}]`,
  'policies by alias': `policies:\n  - &p {match: 3, x: 1}\n${'  - *p\n'.repeat(15 * KIB)}`,
  quotes: '"'.repeat(127 * KIB),
  commas: `[${','.repeat(126 * KIB)}`,
  'zero bytes': '\0'.repeat(127 * KIB),
  tags: '!a '.repeat(42 * KIB),
};

test.each(Object.entries(HOSTILE))('%s end in a ConfigError soon', (_, text) => {
  const started = performance.now();
  expect(problems(text)).not.toEqual([]);
  expect(performance.now() - started).toBeLessThan(10_000);
});

test('a bomb of aliases stays small', () => {
  const level = (name: string, below: string): string => `  ${name}: &${name} [${`*${below},`.repeat(9)}]`;
  const names = 'abcdefghij'.split('');
  const levels = names.slice(1).map((name, index) => level(name, names[index]!));
  const text = ['heartbeat:', '  a: &a [x,x,x,x,x,x,x,x,x]', ...levels].join('\n');
  expect(problems(text)).toHaveLength(names.length);
});

test('a megabyte is not even read as YAML', () => {
  expect(problems('['.repeat(KIB * KIB))).toEqual(['ckptd.yaml: is longer than 128 KiB']);
});

test('keys of Object.prototype are keys like any other', () => {
  problems(
    '__proto__: {polluted: 1}\napi: {__proto__: {polluted: 1}}\nlog: {constructor: {prototype: {polluted: 1}}}',
  );
  expect({}).not.toHaveProperty('polluted');
});

const KEYS = [
  'api',
  'url',
  'slurm',
  'heartbeat',
  'every',
  'schedule',
  'policies',
  'match',
  'user',
  '__proto__',
  'log',
];
const scalar = fc.oneof(
  fc.constantFrom('5m', '*/5 * * * *', 'auto', '/x', 'unix:/x', '0600', '', null, true),
  fc.integer(),
  fc.double(),
  fc.string({ unit: 'binary', maxLength: 20 }),
);
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5 },
    scalar,
    fc.array(tie('tree'), { maxLength: 4 }),
    fc.dictionary(fc.oneof(fc.constantFrom(...KEYS), fc.string()), tie('tree'), { maxKeys: 5 }),
  ),
}));
const yamlish = fc
  .array(
    fc.constantFrom(
      ...KEYS,
      ': ',
      '\n',
      '  ',
      '- ',
      '[',
      ']',
      '{',
      '}',
      '&a ',
      '*a',
      '"',
      "'",
      '|',
      '>',
      '!!x ',
      '#',
      '%',
      '@',
      '---\n',
      '5m',
      ', ',
      '? ',
      '\t',
      '\0',
      '\ud800',
    ),
  )
  .map((parts) => parts.join(''));

test('any text whatever is a configuration or a ConfigError', () => {
  const texts = fc.oneof(
    tree.map((value) => JSON.stringify(value) ?? ''),
    yamlish,
    fc.string({ unit: 'binary' }),
  );
  fc.assert(
    fc.property(texts, (text) => {
      // `problems` lets no other error pass.
      const lines = problems(text);
      if (lines.length === 0) expect(Object.isFrozen(config(text))).toBe(true);
      else for (const line of lines) expect(line).toMatch(/^ckptd\.yaml:\d+:\d+: ./);
    }),
    { numRuns: 3000 },
  );
});
