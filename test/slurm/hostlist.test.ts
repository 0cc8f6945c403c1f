import { expect, test } from 'vitest';
import { expandHostlist } from '../../daemon/slurm/hostlist.ts';
import fc from '../support/properties.ts';
import { list, word } from './hostlists.ts';

const hosts = (text: string): string[] | string => {
  const list = expandHostlist(text);
  return list.ok ? list.hosts : list.message;
};

// What `scontrol show hostnames` of 24.11 and 26.05 makes of them.
test.each([
  ['', ''],
  ['n1', 'n1'],
  ['n[1-3,07-09],gpu[1-2]', 'n1 n2 n3 n07 n08 n09 gpu1 gpu2'],
  ['r[0-1]n[1-2]x', 'r0n1x r0n2x r1n1x r1n2x'],
  ['n[1-2]-[3-4]', 'n1-3 n1-4 n2-3 n2-4'],
  ['n[9-11]', 'n9 n10 n11'],
  ['n[99-101]', 'n99 n100 n101'],
  ['n[08-11]', 'n08 n09 n10 n11'],
  ['n[001-2]', 'n001 n002'],
  ['n[1-007]', 'n1 n2 n3 n4 n5 n6 n7'],
  ['n[1,1],n1', 'n1 n1 n1'],
  ['1[0-1]', '10 11'],
  ['a-b_c.d[1]', 'a-b_c.d1'],
])('%s', (text, names) => {
  expect(hosts(text)).toEqual(names === '' ? [] : names.split(' '));
});

test.each([
  'n[3-1]',
  'n[]',
  'n[1',
  'n1]',
  'n[a-b]',
  'n[1--3]',
  'n[1-2-3]',
  'n[[1-2]]',
  'a,,b',
  ',a',
  'a,',
  ',',
  'a b',
  'n\n1',
  '(null)',
  'n[1-2]\0',
  'n[1-99999999999999999999]',
])('%j is malformed', (text) => {
  expect(hosts(text)).toBeTypeOf('string');
});

test('is bounded, and quick to say so', () => {
  expect(hosts('n[0-65535]')).toHaveLength(65_536);
  expect(hosts('n[0-65536]')).toMatch(/more than 65536/);
  expect(hosts('n[0-999999999]')).toBeTypeOf('string');
  expect(hosts('a[0-999]b[0-999]')).toBeTypeOf('string');
  expect(hosts(`n[0-40000],m[0-40000]`)).toBeTypeOf('string');
  expect(hosts(`${'[0-9]'.repeat(100)}`)).toBeTypeOf('string');
  for (const piece of ['[', ']', '[[]', 'n[1],', ',', '[1-'])
    expect(hosts(piece.repeat(100_000))).toBeTypeOf('string');
});

test('one bracket after the other, with zeros padded to the lower bound', () => {
  const simple = fc.tuple(word, fc.nat(2_000), fc.nat(50), fc.integer({ min: 1, max: 6 }));
  fc.assert(
    fc.property(simple, ([name, low, more, width]) => {
      const pad = (n: number) => String(n).padStart(width, '0');
      const expected = Array.from({ length: more + 1 }, (_, i) => `${name}${pad(low + i)}`);
      expect(hosts(`${name}[${pad(low)}-${low + more}]`)).toEqual(expected);
    }),
  );
});

test('a list is its items, one after the other', () => {
  fc.assert(
    fc.property(list, list, (a, b) => {
      const [left, right] = [hosts(a), hosts(b)];
      fc.pre(Array.isArray(left) && Array.isArray(right) && left.length + right.length < 60_000);
      expect(hosts(`${a},${b}`)).toEqual([...left, ...right]);
    }),
  );
});

test('never throws', () => {
  const nearly = fc.stringMatching(/^[n0-9,[\]-]{0,40}$/);
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), nearly), (text) => {
      expandHostlist(text);
    }),
    { numRuns: 20_000 },
  );
});
