import type { JobFacts } from '../../../vocabulary/job.ts';
import type { Order } from '../../manifest.ts';
import type { Found } from '../../ports.ts';
import type { Parts } from '../run/parts.ts';

/**
 * Whether this is the first run since a dump after which the job ran no line (`migrate/leave.ts`). An order may also name
 * an older checkpoint, be of an earlier run, or of a job that was not sent away by it.
 */
export function isMoved(
  { manifest }: Pick<Found, 'manifest'>,
  { restarts }: Pick<JobFacts, 'restarts'>,
  order: Order | null,
): boolean {
  return (
    manifest.reason === 'restore' &&
    order?.ended === true &&
    order.actionId === manifest.actionId &&
    order.restarts === restarts &&
    manifest.restarts === restarts - 1
  );
}

/** Files of the job's that other jobs append to as well, as far as the store knows; all where it cannot be asked. */
export async function sharedFiles(
  { store, log }: Pick<Parts, 'store' | 'log'>,
  { manifest }: Pick<Found, 'manifest'>,
): Promise<readonly string[]> {
  const { jobId, actionId, criu } = manifest;
  const files = criu === null ? [] : manifest.files.filter(({ append }) => append);
  try {
    return await store.namedByOthers(jobId, files);
  } catch (error) {
    const fields = { job_id: jobId, action_id: actionId, err: error };
    log.warn(fields, `whether other jobs append to the files of job ${jobId} is not known: they are not cut`);
    return files.map(({ path }) => path);
  }
}
