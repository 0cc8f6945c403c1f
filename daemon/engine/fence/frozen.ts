import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import type { JobId } from '../../vocabulary/job.ts';
import type { BatchRun } from './batch-runs.ts';

const whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const schema = v.object({
  jobId: v.pipe(whole, v.minValue(1)),
  version: v.picklist([1, 2]),
  folder: v.pipe(v.string(), v.regex(/^\/.*\/job_\d+$/)),
  task: v.object({ pid: v.pipe(whole, v.minValue(1)), startTime: whole }),
  startedAt: whole,
});

const UNFINISHED = '.new';
const folderOf = (runDir: string): string => join(runDir, 'fenced');
const pathOf = (runDir: string, jobId: JobId): string => join(folderOf(runDir), `${jobId}.json`);

/*
 * In this thread, since the fence freezes jobs just when all others may hang in the store. `run_dir` is in memory: /run.
 */

/** Says that the fence holds a run frozen: from before it is, until it runs again or is dead. */
export function noteFrozen(runDir: string, run: BatchRun): void {
  const path = pathOf(runDir, run.jobId);
  mkdirSync(folderOf(runDir), { recursive: true, mode: 0o700 });
  writeFileSync(`${path}${UNFINISHED}`, JSON.stringify(run), { mode: 0o600 });
  renameSync(`${path}${UNFINISHED}`, path);
}

export function forgetFrozen(runDir: string, jobId: JobId): void {
  rmSync(pathOf(runDir, jobId), { force: true });
}

/** What an engine before this one left frozen; a message in place of a note that cannot be read. */
export function readFrozen(runDir: string): (BatchRun | string)[] {
  const folder = folderOf(runDir);
  const names = existsSync(folder) ? readdirSync(folder) : [];
  const runs: (BatchRun | string)[] = [];
  for (const name of names) {
    const path = join(folder, name);
    // What was not finished says nothing: nothing was frozen yet.
    if (name.endsWith(UNFINISHED)) rmSync(path, { force: true });
    if (!name.endsWith('.json')) continue;
    runs.push(read(path));
  }
  return runs;
}

function read(path: string): BatchRun | string {
  try {
    return v.parse(schema, JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    return `${path} cannot be read: ${(error as Error).message}`;
  }
}
