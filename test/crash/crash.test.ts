/*
 * The daemon is killed with SIGKILL at random points of a drain with 5 jobs, started again, and killed again: no
 * restore is lost, and none is sent again once it was carried out.
 *
 * CRASH_SEED and CRASH_RUNS choose the runs, CRASH_ONLY=17,18 single ones of them, CRASH_PARALLEL how many at a time,
 * CRASH_FROM=source runs daemon/ckptd.ts in place of a bundle of it.
 */
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { campaign } from './campaign.ts';
import type { RunReport } from './one-run.ts';
import { daemonProgram } from './program.ts';

const { env } = process;
const seed = Number(env['CRASH_SEED'] ?? Date.now() % 1_000_000);
const runs = Array.from({ length: Number(env['CRASH_RUNS'] ?? 500) }, (_, index) => index);
const only = env['CRASH_ONLY']?.split(',').map(Number);
const parallel = Number(env['CRASH_PARALLEL'] ?? 8);

test('no restore is lost, and none sent again, wherever the daemon is killed', {
  timeout: 1_800_000,
}, async () => {
  using program = await daemonProgram();
  const reports = await campaign({ ...program, seed, runs: only ?? runs, parallel });
  console.log(summary(reports));
  const bad = reports.filter(({ wrong }) => wrong.length > 0);
  for (const { story, trace } of bad) {
    const file = join(tmpdir(), `ckptd-crash-${seed}-${story.index}.txt`);
    writeFileSync(file, `${JSON.stringify(story, null, 1)}\n${trace}`);
    console.log(`what run ${story.index} saw: ${file}`);
  }
  expect(bad.map(({ story, wrong }) => [again(story.index), ...wrong].join('\n  '))).toEqual([]);
});

function again(index: number): string {
  return `CRASH_SEED=${seed} CRASH_ONLY=${index} npx vitest run --project crash test/crash/crash.test.ts`;
}

function summary(reports: readonly RunReport[]): string {
  const sum = (of: (report: RunReport) => number) => reports.reduce((total, report) => total + of(report), 0);
  const slowest = Math.max(...reports.map(({ ms }) => ms));
  return [
    `CRASH_SEED=${seed}: ${reports.length} runs, ${sum(({ story }) => story.kills.length)} kills`,
    `${sum(({ restored }) => restored)} restores carried out of ${sum((r) => r.restoreRequests)} requests`,
    `a run took ${Math.round(sum(({ ms }) => ms) / reports.length)} ms, the slowest ${slowest} ms`,
  ].join('; ');
}
