import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import type { JobId } from '../../vocabulary/job.ts';

const whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const schema = v.object({
  jobId: v.pipe(whole, v.minValue(1)),
  restarts: whole,
  uid: whole,
  actionId: v.pipe(v.string(), v.regex(/^[0-9a-f-]{36}$/)),
  cgroup: v.object({
    version: v.picklist([1, 2]),
    folder: v.pipe(v.string(), v.regex(/^\/.*\/job_\d+\/step_batch/)),
  }),
  /** The root of the tree that was stopped, by pid and start; a marker of an engine before 0.1 has none. */
  root: v.optional(v.object({ pid: whole, startTime: whole })),
  /** Processes that are not to be woken: they were stopped before, or were never stopped. */
  except: v.array(whole),
  /** Whether Slurm may have been told to requeue the job: then only Slurm knows which run is the living one. */
  requeueing: v.boolean(),
});

/**
 * Says that the engine holds a job: from before it is stopped until it runs again or is dead. Whoever finds one at
 * start has to let the job go.
 */
export type Marker = v.InferOutput<typeof schema>;

const UNFINISHED = '.new';
const folderOf = (runDir: string): string => join(runDir, 'frozen');
const pathOf = (runDir: string, jobId: JobId): string => join(folderOf(runDir), `${jobId}.json`);

/** Writes it, or over an older one, at once. */
export async function writeMarker(runDir: string, marker: Marker): Promise<void> {
  const path = pathOf(runDir, marker.jobId);
  await mkdir(folderOf(runDir), { recursive: true, mode: 0o700 });
  await writeFile(`${path}${UNFINISHED}`, JSON.stringify(marker), { mode: 0o600 });
  await rename(`${path}${UNFINISHED}`, path);
}

export async function removeMarker(runDir: string, jobId: JobId): Promise<void> {
  await rm(pathOf(runDir, jobId), { force: true });
}

/**
 * All of them; a message in place of one that cannot be read. What a killed engine had not finished writing is removed:
 * it had not yet done what that would have said. For the engine's start alone.
 */
export async function readMarkers(runDir: string): Promise<(Marker | string)[]> {
  const names = await readdir(folderOf(runDir)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const markers: (Marker | string)[] = [];
  for (const name of names.filter((name) => name.endsWith(UNFINISHED)))
    await rm(join(folderOf(runDir), name), { force: true });
  for (const name of names.filter((name) => name.endsWith('.json'))) {
    const path = join(folderOf(runDir), name);
    markers.push(await readMarker(path).catch((error: Error) => `${path} cannot be read: ${error.message}`));
  }
  return markers;
}

async function readMarker(path: string): Promise<Marker> {
  return v.parse(schema, JSON.parse(await readFile(path, 'utf8')));
}
