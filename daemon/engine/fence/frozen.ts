import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
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

/** Says that the fence holds a run frozen: from before it is, until it runs again or is dead. */
export async function noteFrozen(runDir: string, run: BatchRun): Promise<void> {
  const path = pathOf(runDir, run.jobId);
  await mkdir(folderOf(runDir), { recursive: true, mode: 0o700 });
  await writeFile(`${path}${UNFINISHED}`, JSON.stringify(run), { mode: 0o600 });
  await rename(`${path}${UNFINISHED}`, path);
}

export async function forgetFrozen(runDir: string, jobId: JobId): Promise<void> {
  await rm(pathOf(runDir, jobId), { force: true });
}

/** What an engine before this one left frozen; a message in place of a note that cannot be read. */
export async function readFrozen(runDir: string): Promise<(BatchRun | string)[]> {
  const names = await readdir(folderOf(runDir)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const runs: (BatchRun | string)[] = [];
  for (const name of names) {
    const path = join(folderOf(runDir), name);
    // What was not finished says nothing: nothing was frozen yet.
    if (name.endsWith(UNFINISHED)) await rm(path, { force: true });
    if (!name.endsWith('.json')) continue;
    runs.push(await read(path).catch((error: Error) => `${path} cannot be read: ${error.message}`));
  }
  return runs;
}

async function read(path: string): Promise<BatchRun> {
  return v.parse(schema, JSON.parse(await readFile(path, 'utf8')));
}
