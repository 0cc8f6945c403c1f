import { expect, test } from 'vitest';
import { readConf } from '../../daemon/slurm/conf.ts';
import { JOB_FIELDS } from '../../daemon/slurm/job-row.ts';
import { newMark } from '../../daemon/slurm/rows.ts';
import { readNodes } from '../../daemon/slurm/sinfo.ts';
import { parseJob } from '../../daemon/slurm/squeue.ts';
import { readAll } from '../../daemon/slurm/squeue-all.ts';
import fc from '../support/properties.ts';
import { RELEASES, recording } from './recorded.ts';

const real = RELEASES.flatMap((release) => {
  const { cases, mark } = recording(release);
  return Object.values(cases)
    .filter((recorded) => recorded.exitCode === 0 && recorded.stdout !== '')
    .map((recorded) => ({ mark, jobId: recorded.jobId, bytes: Buffer.from(recorded.stdout, 'latin1') }));
});

const edit = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  cut: fc.nat(40),
  put: fc.oneof(
    fc.uint8Array({ maxLength: 8 }),
    fc.constantFrom(...'\n\x1f,[]-0N/A').map((c) => Buffer.from(c)),
  ),
});
const mutated = fc
  .tuple(fc.constantFrom(...real), fc.array(edit, { minLength: 1, maxLength: 4 }))
  .map(([{ mark, jobId, bytes }, edits]) => {
    let now = bytes;
    for (const { at, cut, put } of edits) {
      const start = Math.floor(at * now.length);
      now = Buffer.concat([now.subarray(0, start), put, now.subarray(start + cut)]);
    }
    return { mark, jobId, bytes: now };
  });
const random = fc
  .uint8Array({ maxLength: 300 })
  .map((bytes) => ({ mark: recording('24.11').mark, jobId: 7, bytes: Buffer.from(bytes) }));

test('100,000 malformed outputs: no exception, and no facts that Slurm does not print', () => {
  fc.assert(
    fc.property(
      fc.oneof({ weight: 4, arbitrary: mutated }, { weight: 1, arbitrary: random }),
      ({ mark, jobId, bytes }) => {
        const look = parseJob(bytes, mark, jobId);
        if (look.type === 'job') {
          const { facts } = look;
          if (facts.jobId !== jobId || !/^[A-Z_]+$/.test(facts.state)) throw new Error('a wrong job');
          if (!facts.nodes.every((node) => /^[\w.-]+$/.test(node))) throw new Error('a wrong node');
          if (!Number.isSafeInteger(facts.uid) || !Number.isSafeInteger(facts.cpus))
            throw new Error('a wrong number');
          if (!facts.name.isWellFormed()) throw new Error('a name that is no Unicode');
        }
        const result = { ok: true, stdout: bytes } as const;
        readAll(result, mark);
        readNodes(result, mark, ['n1']);
        readConf(result, { node: 'n1', host: 'h' });
      },
    ),
    { numRuns: 100_000 },
  );
}, 180_000);

test('no text of a user changes a field of Slurm, whatever bytes it has', () => {
  const mark = newMark();
  const fixed = [
    '7',
    '7',
    'N/A',
    'N/A',
    '1500',
    'RUNNING',
    '2',
    '1',
    '4',
    '1795461251',
    '1795461250',
    'n[1-2]',
    'n1',
    'main',
  ];
  const field = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc.constant(Buffer.from(`\n${fixed.join('\x1f')}`)),
  );
  const names = fc.array(field, { minLength: 4, maxLength: 4 });
  fc.assert(
    fc.property(names, (texts) => {
      const fields = [...fixed.map((text) => Buffer.from(text)), ...texts];
      expect(fields).toHaveLength(JOB_FIELDS.length);
      const bytes = Buffer.concat([
        ...fields.flatMap((text) => [text, Buffer.from(mark)]),
        Buffer.from('\n'),
      ]);
      expect(parseJob(bytes, mark, 7)).toMatchObject({
        type: 'job',
        target: '7',
        facts: {
          jobId: 7,
          restarts: 2,
          uid: 1500,
          state: 'RUNNING',
          nodes: ['n1', 'n2'],
          cpus: 4,
          batchHost: 'n1',
        },
      });
    }),
    { numRuns: 5_000 },
  );
});

test("another process's mark is another one, and is not read", () => {
  expect(newMark()).not.toBe(newMark());
  const { cases } = recording('24.11');
  const bytes = Buffer.from(cases['job-running']!.stdout, 'latin1');
  expect(parseJob(bytes, newMark(), cases['job-running']!.jobId)).toMatchObject({
    type: 'unavailable',
    garbage: true,
  });
});

test('an answer on another job, twice the same, or none, is no answer', () => {
  const { cases, mark } = recording('24.11');
  const one = Buffer.from(cases['job-running']!.stdout, 'latin1');
  const id = cases['job-running']!.jobId;
  for (const [bytes, jobId] of [
    [one, 999],
    [Buffer.concat([one, one]), id],
    [Buffer.alloc(0), id],
  ] as const)
    expect(parseJob(bytes, mark, jobId)).toMatchObject({ type: 'unavailable', garbage: true });
});

test("an array's number of which only other tasks are left is absent", () => {
  const { cases, mark } = recording('24.11');
  const { jobId, stdout } = cases['job-array-own']!;
  const rows = stdout.split(`${mark}\n`).slice(0, -1);
  const others = rows.filter((row) => !row.startsWith(`${jobId}${mark}`)).map((row) => `${row}${mark}\n`);
  expect(parseJob(Buffer.from(others.join('')), mark, jobId)).toEqual({ type: 'absent' });
});
