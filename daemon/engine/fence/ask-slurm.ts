import { jobLookup } from '../../slurm/query-job.ts';
import { jobCommand, readJob } from '../../slurm/squeue.ts';
import { backoff } from '../../system/async/backoff.ts';
import { placeOf } from '../../system/node-phase.ts';
import type { EpochMs, JobId } from '../../vocabulary/job.ts';
import type { FencePorts } from './ports.ts';
import { type SlurmWord, slurmWord } from './words.ts';

const FIRST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 30_000;

export type AskSlurm = (
  jobs: readonly JobId[],
  signal: AbortSignal,
) => Promise<ReadonlyMap<JobId, SlurmWord>>;

/**
 * Slurm's word on each job: a single-record look each, one after the other. The first that is not answered speaks for
 * all, and then nothing is asked for a while, longer each time.
 */
export function createAskSlurm({ exec, slurm, clock, config }: FencePorts): AskSlurm {
  const lookup = jobLookup(async (jobId, signal) => {
    // Of a kind of its own: a heartbeat's look that hangs must not hold it up.
    const command = { ...jobCommand(slurm, jobId), kind: 'fence-job' };
    return readJob(await exec.run(command, signal), slurm.mark, jobId);
  });
  let failures = 0;
  let askAt: EpochMs = 0;
  let problem = '';
  return async (jobs, signal) => {
    const words = new Map<JobId, SlurmWord>();
    for (const jobId of jobs) {
      const word =
        clock.now() < askAt
          ? ({ type: 'away', why: problem } as const)
          : slurmWord(await lookup(jobId, signal), config.slurm.node);
      if (word.type !== 'away') failures = 0;
      else if (clock.now() >= askAt) {
        problem = word.why;
        askAt =
          clock.now() + backoff(failures++, placeOf(config.slurm.node), FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
      }
      words.set(jobId, word);
    }
    return words;
  };
}
