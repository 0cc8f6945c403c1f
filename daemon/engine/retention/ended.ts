import type { JobId, Millis } from '../../vocabulary/job.ts';
import { StoreError } from '../store-error.ts';
import { judge } from './judge.ts';
import type { RetentionPorts } from './ports.ts';

/**
 * From the Epilog to the looks at Slurm: the first comes when slurmctld has heard of the Epilog's end in most cases.
 * After the last, the hourly round is left.
 */
const LOOKS: readonly Millis[] = [5_000, 10_000, 30_000, 60_000, 300_000, 900_000];

/** Follows jobs whose Epilog ran here until Slurm says what became of them. */
export interface Ended {
  /** At once, and without waiting: a job without checkpoints costs one look at the store. */
  tell(jobId: JobId): void;
  /** Resolves when all that was told is settled. */
  settled(): Promise<void>;
}

export function followEnded(ports: RetentionPorts, signal: AbortSignal): Ended {
  const { store, clock, log } = ports;
  /** True: told again meanwhile. */
  const following = new Map<JobId, boolean>();
  const under = new Set<Promise<void>>();

  async function follow(jobId: JobId): Promise<void> {
    if (!(await store.upkeep.has(jobId))) return;
    for (const pause of LOOKS) {
      await clock.sleep(pause, signal);
      following.set(jobId, false);
      const fate = await judge(ports, jobId, signal);
      log.debug({ job_id: jobId, fate: fate.type }, `job ${jobId} ended here: ${fate.why}`);
      if (fate.type === 'over') return;
      if (fate.type === 'kept' && following.get(jobId) !== true) return;
    }
    log.info({ job_id: jobId }, `job ${jobId} ended here, and Slurm does not say how: looked into later`);
  }

  async function run(jobId: JobId): Promise<void> {
    try {
      await follow(jobId);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof StoreError)) throw error;
      log.warn({ job_id: jobId, err: error }, `job ${jobId} ended here: ${error.message}: looked into later`);
    } finally {
      following.delete(jobId);
    }
  }

  return {
    tell(jobId) {
      if (following.has(jobId)) {
        following.set(jobId, true);
        return;
      }
      following.set(jobId, false);
      const done: Promise<void> = run(jobId).finally(() => under.delete(done));
      under.add(done);
    },
    async settled() {
      await Promise.all(under);
    },
  };
}
