import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fieldOf, readFields } from '../../../../daemon/engine/criu/images/protobuf.ts';
import { rearmTimerfds, rearmTimerfdsIn } from '../../../../daemon/engine/criu/images/timerfds.ts';

const TFD = 12;
const EPFD = 9;

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value % 0x80) + 0x80, ...varint(Math.floor(value / 0x80))];
}
const number = (field: number, value: number) => [...varint(field * 8), ...varint(value)];
const nested = (field: number, bytes: number[]) => [
  ...varint(field * 8 + 2),
  ...varint(bytes.length),
  ...bytes,
];

interface Timer {
  value: [number, number];
  interval: [number, number];
}

/** A `file_entry` as CRIU 4.1.1 writes it. */
function timerEntry({ value, interval }: Timer): number[] {
  const timer = [
    ...[1, 2, 4, 5, 6].flatMap((field) => number(field, field === 2 ? 0o2 : 1)),
    ...nested(
      3,
      [1, 2, 3].flatMap((field) => number(field, 0)),
    ),
    ...number(7, value[0]),
    ...number(8, value[1]),
    ...number(9, interval[0]),
    ...number(10, interval[1]),
  ];
  return [...number(1, 17), ...number(2, 300), ...nested(TFD, timer)];
}
const other = [
  ...number(1, 7),
  ...number(2, 9),
  ...nested(
    EPFD,
    [7, 8].flatMap((field) => number(field, 0)),
  ),
];

function image(...entries: number[][]): Buffer {
  const words = (...values: number[]) => {
    const bytes = Buffer.alloc(4 * values.length);
    for (const [at, value] of values.entries()) bytes.writeUInt32LE(value, 4 * at);
    return bytes;
  };
  const parts = entries.flatMap((entry) => [words(entry.length), Buffer.from(entry)]);
  return Buffer.concat([words(0x54564319, 0x56303138), ...parts]);
}

/** What is left of each timer, as CRIU would read it. */
function timersIn(bytes: Buffer): [unknown, unknown][] {
  const found: [unknown, unknown][] = [];
  for (let at = 8; at < bytes.length; at += 4 + bytes.readUInt32LE(at)) {
    const timer = fieldOf(readFields(bytes.subarray(at + 4, at + 4 + bytes.readUInt32LE(at))), TFD);
    if (timer instanceof Buffer) found.push([fieldOf(readFields(timer), 7), fieldOf(readFields(timer), 8)]);
  }
  return found;
}

test('a periodic timer that was due goes off at once, and everything else stays as it is', () => {
  const timers: Timer[] = [
    { value: [0, 0], interval: [0, 100_000_000] },
    { value: [0, 0], interval: [3, 0] },
    { value: [0, 5_000], interval: [0, 100_000_000] },
    { value: [2, 0], interval: [1, 0] },
    { value: [0, 0], interval: [0, 0] },
  ];
  const before = image(other, ...timers.map(timerEntry), other);
  const after = Buffer.from(before);
  expect(rearmTimerfds(after)).toBe(2);
  expect(timersIn(after)).toEqual([
    [0, 1],
    [0, 1],
    [0, 5_000],
    [2, 0],
    [0, 0],
  ]);
  expect([...after].filter((byte, at) => byte !== before[at])).toEqual([1, 1]);
});

test.each([
  ['of nothing', Buffer.alloc(0)],
  [
    'of another kind',
    Buffer.concat([Buffer.alloc(8), image(timerEntry({ value: [0, 0], interval: [1, 0] }))]),
  ],
  ['whose entry is cut', image(timerEntry({ value: [0, 0], interval: [1, 0] })).subarray(0, -1)],
  ['whose entry is no message', image([0xff, 0xff, 0xff])],
])('an image %s stays as it is', (_, bytes) => {
  const before = Buffer.from(bytes);
  expect(rearmTimerfds(bytes)).toBe(0);
  expect(bytes).toEqual(before);
});

test('the file of the image is changed in place', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'timerfds-'));
  const path = join(folder, 'files.img');
  writeFileSync(path, image(timerEntry({ value: [0, 0], interval: [1, 0] })), { mode: 0o600 });
  expect(await rearmTimerfdsIn(path)).toBe(1);
  expect(await rearmTimerfdsIn(path)).toBe(0);
  expect(timersIn(readFileSync(path))).toEqual([[0, 1]]);
  rmSync(folder, { recursive: true });
});
