import type { CheckpointKind } from '../../vocabulary/job.ts';
import { dumpBytes } from './dump/dump.ts';
import { freeBytes, SPARE_BYTES } from './dump/staging.ts';
import type { RunningJob } from './find/find-job.ts';
import type { Source } from './source.ts';

/** Null, or why this node's disk cannot take a dump of the job. */
export async function noRoom(
  { config }: Source,
  job: RunningJob,
  kind: CheckpointKind,
): Promise<string | null> {
  const needed = kind === 'rootfsonly' ? 0 : dumpBytes(job.tree);
  const free = await freeBytes(config.workDir);
  if (needed + SPARE_BYTES <= free) return null;
  const mebibytes = (bytes: number) => `${Math.ceil(bytes / 1024 ** 2)} MiB`;
  return `job ${job.facts.jobId} has ${mebibytes(needed)} of memory, and ${config.workDir} has only ${mebibytes(free)} free`;
}
