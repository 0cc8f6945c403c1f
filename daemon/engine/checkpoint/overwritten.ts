import type { Found } from '../ports.ts';
import { readRunFile } from '../proc/run-file.ts';
import { retire } from '../retention/retire.ts';
import type { Source } from './source.ts';

/**
 * Called with the first and every other checkpoint of a run. A restarted run that was not restored here began anew,
 * perhaps without an engine to ask: what the processes of the runs before it go on from is overwritten. Files without
 * processes (`rootfsonly`) fit every run. Never rejects.
 */
export async function retireOverwritten(
  { store, config, log }: Pick<Source, 'store' | 'config' | 'log'>,
  { manifest }: Pick<Found, 'manifest'>,
): Promise<void> {
  const { jobId, restarts, uid } = manifest;
  if (restarts === 0) return;
  try {
    const restored = await readRunFile(config.runDir, jobId);
    if (restored?.restarts === restarts) return;
    const older = (await store.ofJob(jobId)).filter(
      (found) => found.manifest.criu !== null && found.manifest.uid === uid,
    );
    await retire({ store, log }, { jobId, restarts }, older);
  } catch (error) {
    log.error({ job_id: jobId, restarts, err: error }, 'checkpoints of the runs before are not looked into');
  }
}
