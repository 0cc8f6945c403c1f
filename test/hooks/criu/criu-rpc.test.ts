import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run, SANITIZE, scratch } from '../native.ts';
import { HOOKS } from '../support.ts';

const out = scratch();
const reader = join(out.path, 'rpc-reader');
beforeAll(() => {
  const criu = join(HOOKS, 'criu');
  const flags = [
    '-std=gnu11',
    '-D_GNU_SOURCE',
    '-Wall',
    '-Wextra',
    '-Werror',
    '-g',
    ...SANITIZE.CFLAGS.split(' '),
  ];
  const source = join(import.meta.dirname, 'fixtures/rpc-reader.c');
  run('cc', [...flags, '-I', criu, source, join(criu, 'criu-rpc.c'), '-o', reader]);
}, 120_000);
afterAll(() => out[Symbol.dispose]());

/** What is made of messages, each within its bounds. */
function read(...messages: readonly (readonly number[])[]): string[] {
  const input = messages.map((bytes) => `${Buffer.from(bytes).toString('hex')}\n`).join('');
  const { status, stdout, stderr } = spawnSync(reader, { input, encoding: 'latin1', maxBuffer: 2 ** 26 });
  expect([status, stderr]).toEqual([0, '']);
  return stdout.split('\n').slice(0, -1);
}

const varint = (value: number): number[] =>
  value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
const number = (field: number, value: number) => [...varint(field * 8), ...varint(value)];
const bytes = (field: number, value: readonly number[] | string) => {
  const all = [...Buffer.from(value as string, 'latin1')];
  return [...varint(field * 8 + 2), ...varint(all.length), ...all];
};
const [RESTORE, NOTIFY] = [2, 6];
const notification = (script: string) => [
  ...number(1, NOTIFY),
  ...number(2, 1),
  ...bytes(5, [...bytes(1, script), ...number(2, 4321)]),
];
const success = (pid: number) => [...number(1, RESTORE), ...number(2, 1), ...bytes(4, number(1, pid))];
const failure = (message: string) => [
  ...number(1, RESTORE),
  ...number(2, 0),
  ...number(7, 17),
  ...bytes(9, message),
];

test('what CRIU says', () => {
  const said = [notification('post-restore'), success(40), failure('it failed')];
  expect(read(...said)).toEqual(['1 1 0 post-restore|', '0 1 40 |', '0 0 0 |it failed']);
});

test('the order of its fields is nothing to go by, and what nobody knows is passed over', () => {
  const fixed = [99 * 8 + 1, ...Array(8).fill(0xff)];
  const strange = [
    ...varint(fixed[0]!),
    ...fixed.slice(1),
    ...varint(98 * 8 + 5),
    ...[1, 2, 3, 4],
    ...number(97, 2 ** 40),
    ...bytes(96, [8, 8, 8]),
    ...number(2 ** 28, 1),
  ];
  const nested = bytes(4, [...strange, ...number(1, 40)]);
  expect(read([...strange, ...nested, ...number(2, 1), ...strange, ...number(1, RESTORE)])).toEqual([
    '0 1 40 |',
  ]);
});

test('a success is 1, and nothing else', () => {
  const of = (value: number) => [...number(1, RESTORE), ...number(2, value)];
  expect(read(of(0), of(1), of(2), of(257))).toEqual(['0 0 0 |', '0 1 0 |', '0 0 0 |', '0 0 0 |']);
  expect(read(number(1, RESTORE), [])).toEqual(['none', 'none']);
});

test.each([
  [2 ** 31 - 1, 2 ** 31 - 1],
  [2 ** 31, 0],
  [2 ** 32 + 40, 0],
  [2 ** 52, 0],
])('the pid %d is %d', (said, pid) => {
  expect(read(success(said))).toEqual([`0 1 ${pid} |`]);
});

test('a message that is cut anywhere is none, or says less', () => {
  for (const whole of [notification('post-restore'), success(40), failure('it failed')]) {
    const cut = Array.from({ length: whole.length }, (_, length) => whole.slice(0, length));
    for (const said of read(...cut)) expect(said).not.toMatch(/post-restore|40|it failed/);
  }
});

test.each<[string, number[]]>([
  ['a length beyond its end', [...number(2, 1), 4 * 8 + 2, 1]],
  ['a length of all that there is', [...number(2, 1), 4 * 8 + 2, ...Array(9).fill(0xff), 1]],
  ['a fixed number beyond its end', [...number(2, 1), 3 * 8 + 1, 1, 2, 3, 4, 5, 6, 7]],
  ['a short one beyond its end', [...number(2, 1), 3 * 8 + 5, 1, 2, 3]],
  ['a number without an end', [...number(2, 1), 3 * 8, 0x80]],
  ['a number of eleven bytes', [...number(2, 1), 3 * 8, ...Array(10).fill(0x80), 1]],
  ['a key without a value', [...number(2, 1), 3 * 8]],
  ['a group', [...number(2, 1), 3 * 8 + 3]],
  ['the end of a group', [...number(2, 1), 3 * 8 + 4]],
  ['a kind that is none', [...number(2, 1), 3 * 8 + 7]],
])('%s makes it none', (_, message) => {
  expect(read(message)).toEqual(['none']);
});

test.each<[string, number[], string]>([
  ['a length beyond its end', bytes(5, [1 * 8 + 2, 100]), '1 1 0 |'],
  ['nothing in it', bytes(5, []), '1 1 0 |'],
  ['a number for its name', bytes(5, number(1, 7)), '1 1 0 |'],
  ['a number in its place', number(5, 7), '1 1 0 |'],
  ['a fixed number in its place', [5 * 8 + 5, 1, 2, 3, 4], '1 1 0 |'],
])('a notification with %s has no name', (_, field, said) => {
  expect(read([...number(1, NOTIFY), ...number(2, 1), ...field])).toEqual([said]);
});

test('names and words are as long as they may be, and can be printed', () => {
  const [notified, failed, odd] = read(
    notification('n'.repeat(1000)),
    failure('w'.repeat(3000)),
    failure('a\0b\x1b[1m\n\xff|~'),
  );
  expect(notified).toBe(`1 1 0 ${'n'.repeat(31)}|`);
  expect(failed).toBe(`0 0 0 |${'w'.repeat(399)}`);
  expect(odd).toBe('0 0 0 |a?b?[1m??|~');
});

test('whatever comes, nothing beyond it is read', () => {
  const field = fc.oneof(
    fc.tuple(fc.nat(12), fc.nat(2 ** 31)).map(([at, value]) => number(at, value)),
    fc.tuple(fc.nat(12), fc.array(fc.nat(255), { maxLength: 40 })).map(([at, value]) => bytes(at, value)),
    fc.array(fc.nat(255), { maxLength: 12 }),
  );
  const messages = fc.sample(
    fc.array(field, { maxLength: 8 }).map((fields) => fields.flat()),
    { numRuns: 20_000, seed: 1 },
  );
  expect(read(...messages)).toHaveLength(messages.length);
}, 60_000);

test('what is said to CRIU', () => {
  const path = Buffer.from('/proc/self/fd/7').toString('hex');
  expect(run(reader, ['restore', '7', '1', '1'])).toBe(
    `0802122808ffffffffffffffffff01a2040f${path}6001d00101980401b80401\n`,
  );
  expect(run(reader, ['restore', '2147483647', '0', '0'])).toMatch(/6001d00100980400b80401\n$/);
  expect([run(reader, ['answer', '1']), run(reader, ['answer', '0'])]).toEqual(['08061801\n', '08061800\n']);
});
