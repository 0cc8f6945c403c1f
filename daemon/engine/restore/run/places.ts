import { join } from 'node:path';
import type { JobId } from '../../../vocabulary/job.ts';

/** The staging folder of one run that is being restored, on this node's disk. Root only. */
export interface Places {
  readonly dir: string;
  readonly images: string;
  /** CRIU's. */
  readonly log: string;
  /** The job's node-local files, unpacked by zstd. */
  readonly archive: string;
  /** StartedRun, as JSON. */
  readonly record: string;
}

export const restoreRoot = (workDir: string): string => join(workDir, 'restore');

export function placesOf(workDir: string, jobId: JobId, restarts: number): Places {
  const dir = join(restoreRoot(workDir), `${jobId}.${restarts}`);
  return {
    dir,
    images: join(dir, 'images'),
    log: join(dir, 'restore.log'),
    archive: join(dir, 'local.tar'),
    record: join(dir, 'run.json'),
  };
}
