import { beforeEach, expect, test } from 'vitest';
import { circuitBreaker } from '../../daemon/slurm/circuit-breaker.ts';
import type { QueryJob } from '../../daemon/slurm/query-job.ts';
import type { JobAnswer } from '../../daemon/slurm/squeue.ts';
import { ManualClock } from '../support/clock.ts';

const ANSWER: JobAnswer = { type: 'absent' };
const AWAY = { type: 'unavailable', message: 'Unable to contact slurm controller', garbage: false } as const;

let clock: ManualClock;
/** Jobs that Slurm was asked about, and what answers the newest question about each. */
let asked: number[];
let answer: (jobId: number, seen: JobAnswer) => void;
let look: QueryJob;

beforeEach(() => {
  clock = new ManualClock();
  asked = [];
  const open = new Map<number, (seen: JobAnswer) => void>();
  answer = (jobId, seen) => open.get(jobId)?.(seen);
  look = circuitBreaker(
    (jobId, signal) => {
      asked.push(jobId);
      return new Promise((resolve) => {
        open.set(jobId, resolve);
        signal?.addEventListener('abort', () => resolve({ ...AWAY, message: 'aborted' }));
      });
    },
    clock,
    0.5,
  );
});

/** A look that nobody answers, up to the time of a command. */
async function timeOut(jobId: number): Promise<void> {
  const seen = look(jobId);
  clock.advance(10_000);
  answer(jobId, { ...AWAY, message: 'timeout' });
  expect(await seen).toMatchObject({ type: 'unavailable' });
}

test('who waits behind a look that was never answered is told at once, and so is who comes after', async () => {
  const behind = [look(2), look(3)];
  await timeOut(1);
  expect(await Promise.all(behind)).toMatchObject([{ type: 'unavailable' }, { type: 'unavailable' }]);
  expect(await look(4)).toMatchObject({ message: 'slurmctld does not answer: timeout' });
  expect(asked).toEqual([2, 3, 1]);
});

test('patience that is over after two seconds of silence counts as much as a timeout', async () => {
  const patience = new AbortController();
  const seen = [look(1, patience.signal), look(2)];
  clock.advance(2_000);
  patience.abort();
  expect(await Promise.all(seen)).toMatchObject([{ type: 'unavailable' }, { type: 'unavailable' }]);
});

test('a look that is taken back while others are answered says nothing of slurmctld', async () => {
  const patience = new AbortController();
  const waiting = look(9, patience.signal);
  for (let jobId = 1; jobId <= 3; jobId++) {
    const seen = look(jobId);
    clock.advance(900);
    answer(jobId, ANSWER);
    expect(await seen).toBe(ANSWER);
  }
  patience.abort();
  await waiting;
  void look(4);
  expect(asked.at(-1)).toBe(4);
});

test('one look at a time finds out whether slurmctld answers again, and the first answer lets all through', async () => {
  await timeOut(1);
  clock.advance(1_000);
  const probe = look(2);
  expect(await look(3)).toMatchObject({ type: 'unavailable' });
  answer(2, ANSWER);
  expect(await probe).toBe(ANSWER);
  void look(4);
  void look(5);
  expect(asked).toEqual([1, 2, 4, 5]);
});

test('a slurmctld that stays away is asked ever more seldom', async () => {
  await timeOut(1);
  for (let minute = 0; minute < 10; minute++) {
    for (let second = 0; second < 60; second++) {
      clock.advance(1_000);
      const before = asked.length;
      const seen = look(7);
      if (asked.length > before) clock.advance(2_000);
      answer(7, { ...AWAY, message: 'timeout' });
      await seen;
    }
  }
  expect(asked.length).toBeGreaterThan(15);
  expect(asked.length).toBeLessThan(40);
});

test('a probe that is taken back leaves its place to the next', async () => {
  await timeOut(1);
  clock.advance(1_000);
  const patience = new AbortController();
  const probe = look(2, patience.signal);
  patience.abort();
  await probe;
  void look(3);
  expect(asked).toEqual([1, 2, 3]);
});

test('a slurmctld that is slow, but answers, is asked as before', async () => {
  const seen = [look(1), look(2)];
  clock.advance(5_000);
  answer(1, ANSWER);
  clock.advance(5_000);
  answer(2, ANSWER);
  expect(await Promise.all(seen)).toEqual([ANSWER, ANSWER]);
  void look(3);
  expect(asked).toEqual([1, 2, 3]);
});

test('a failure at once keeps nobody waiting', async () => {
  for (const jobId of [1, 2, 3]) {
    const seen = look(jobId);
    answer(jobId, AWAY);
    expect(await seen).toBe(AWAY);
  }
  expect(asked).toEqual([1, 2, 3]);
});

test('garbage is an answer: what it is worth, each caller sees', async () => {
  const seen = look(1);
  clock.advance(5_000);
  const garbage: JobAnswer = { type: 'unavailable', message: 'no rows', garbage: true };
  answer(1, garbage);
  expect(await seen).toBe(garbage);
  void look(2);
  expect(asked).toEqual([1, 2]);
});
