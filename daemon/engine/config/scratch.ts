import type { JobId } from '../../vocabulary/job.ts';

/** Stands for the job's id in a `scratch` of engine.yaml, as in the names of Slurm's output files. */
const ID = '%j';

/** The scratch folders as this job has them. */
export function scratchOf(patterns: readonly string[], jobId: JobId): string[] {
  return patterns.map((pattern) => pattern.replaceAll(ID, String(jobId)));
}

/** Those that are this job's alone: what is in them and not in its checkpoint is of no use to anybody. */
export function ownScratchOf(patterns: readonly string[], jobId: JobId): string[] {
  return scratchOf(
    patterns.filter((pattern) => pattern.includes(ID)),
    jobId,
  );
}

/** What is wrong with one in the configuration; null for nothing. */
export function badScratch(pattern: string): string | null {
  return /%/.test(pattern.replaceAll(ID, '')) ? 'may hold %j, for the id of the job, and no other %' : null;
}
