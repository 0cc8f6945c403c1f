import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import type { JobId } from '../../vocabulary/job.ts';

const pid = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
const schema = v.object({
  jobId: pid,
  restarts: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  /** A pid of this host: pid 1 of the run's own namespaces. */
  init: pid,
  /** Clock ticks since boot, of /proc/<init>/stat. */
  initStart: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  /** The root of the restored tree, in its own pid namespace. */
  root: pid,
});

/** A run that was restored on this node: it lives in pid and mount namespaces of its own. */
export type RestoredRun = v.InferOutput<typeof schema>;

/** Null where no restored run of this job is noted. Throws where the note cannot be read. */
export async function readRunFile(runDir: string, jobId: JobId): Promise<RestoredRun | null> {
  const path = join(runDir, 'runs', `${jobId}.json`);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  const run = v.safeParse(schema, JSON.parse(text));
  if (!run.success || run.output.jobId !== jobId) throw new Error(`${path} is damaged`);
  return run.output;
}
