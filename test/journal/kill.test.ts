import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { open, tempDir } from './support.ts';

const RUNS = 100;

/** Kills a writer after it said `commits` numbers, at whatever it is doing then; returns the last number it said. */
async function killedWriter(dir: string, first: number, commits: number): Promise<number> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'kill-child.ts'), dir, String(first)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exit = once(child, 'exit');
  let said = first - 1;
  for await (const line of createInterface({ input: child.stdout })) {
    said = Number(line);
    if (said === first + commits - 1) child.kill('SIGKILL');
  }
  expect(await exit).toEqual([null, 'SIGKILL']);
  return said;
}

test(`kill -9 at ${RUNS} points: every commit that returned is there, and none is there by half`, async () => {
  using dir = tempDir();
  let next = 1;
  const marked = new Set<number>();
  for (let run = 0; run < RUNS; run += 1) {
    const said = await killedWriter(dir.path, next, 1 + (run % 7));
    for (let number = next; number <= said; number += 1) marked.add(number);
    using journal = open(dir.path);
    const { state, outbox } = journal.load();
    const last = state!.clock;
    expect(last).toBeGreaterThanOrEqual(said);
    expect([...state!.jobs.values()].map(({ restarts }) => restarts)).toEqual([last, last, last]);
    expect(outbox.map(({ effect }) => effect.id)).toEqual(
      Array.from({ length: last }, (_, index) => `e${index + 1}`),
    );
    const unmarked = outbox.filter(({ attempts }) => attempts !== 1).map(({ createdAt }) => createdAt);
    expect(unmarked.filter((number) => marked.has(number))).toEqual([]);
    next = last + 1;
  }
}, 300_000);
