import type { JobId } from '../vocabulary/job.ts';
import { RequestError } from './reply.ts';

/** The job id in a URL, or RequestError 400. Slurm's ids are 32 bits wide, and 0 is no job. */
export function readJobId(text: string): JobId {
  if (/^[1-9]\d{0,9}$/.test(text) && Number(text) <= 0xffff_ffff) return Number(text);
  throw new RequestError(
    400,
    'bad-job-id',
    'a job id is a number, for an array task its own one (squeue -o %A)',
  );
}
