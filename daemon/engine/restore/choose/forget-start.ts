import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { JobId } from '../../../vocabulary/job.ts';

/**
 * Removes the plugin's note of how often the run was restarted (hooks/spank/notes.h). The Epilog does so as well; but a
 * run that was ended by the fence has none, and slurmd runs no Prolog for a job that it takes for known.
 */
export async function forgetStart(socket: string, jobId: JobId): Promise<void> {
  await rm(join(dirname(socket), 'starts', String(jobId)), { force: true });
}
