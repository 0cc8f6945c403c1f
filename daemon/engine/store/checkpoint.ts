import { join } from 'node:path';
import type { JobId } from '../../vocabulary/job.ts';
import { MANIFEST_VERSION, manifestSchema } from '../manifest.ts';
import type { Found } from '../ports.ts';
import { StoreError } from '../store-error.ts';
import { guardFolder } from './fs/guard.ts';
import { DEPRECATED, MANIFEST, type Places } from './fs/places.ts';
import { readOwnFile, readRecord } from './fs/record.ts';

const MOST_WHY_BYTES = 64 * 1024;

/**
 * One published checkpoint; null where there is none. The folders above it are the caller's to have looked at.
 * @throws StoreError for one that is there and cannot be used.
 */
export async function readCheckpoint(
  places: Places,
  clusterId: string,
  jobId: JobId,
  actionId: string,
): Promise<Found | null> {
  const dir = places.checkpoint(jobId, actionId);
  if (!(await guardFolder(dir))) return null;
  const manifest = await readRecord(join(dir, MANIFEST), manifestSchema, MANIFEST_VERSION);
  if (manifest === null) {
    // Renamed into the trash between the two looks, or never a checkpoint.
    if (!(await guardFolder(dir))) return null;
    throw new StoreError(`${dir} is damaged: it has no ${MANIFEST}`);
  }
  if (manifest.clusterId !== clusterId) {
    throw new StoreError(`${dir} is of cluster ${manifest.clusterId}, not of ${clusterId}: refused`);
  }
  if (manifest.jobId !== jobId || manifest.actionId !== actionId) {
    throw new StoreError(`${dir} holds checkpoint ${manifest.actionId} of job ${manifest.jobId}: refused`);
  }
  return { manifest, dir, deprecated: await whyDeprecated(dir) };
}

/** Null for one that may be restored from; a mark that cannot be read is a mark. */
export async function whyDeprecated(dir: string): Promise<string | null> {
  try {
    const text = await readOwnFile(join(dir, DEPRECATED), MOST_WHY_BYTES);
    return text === null ? null : text.trim() || 'for no reason given';
  } catch (error) {
    return `its mark cannot be read: ${(error as Error).message}`;
  }
}
