import { spoolJobs } from '../../slurm/spool.ts';
import type { Log } from '../../system/ports.ts';
import type { JobId } from '../../vocabulary/job.ts';
import type { ForeignJobs } from './foreign-jobs.ts';
import { changedSockets, type KnownJob, type Sockets } from './sightings.ts';

export interface SocketScan {
  /** The jobs that are worth a look since the last scan; null where the folder cannot be read. */
  changed(): Promise<readonly JobId[] | null>;
  /** Whether the last scan that could be made saw this job. */
  has(jobId: JobId): boolean;
  /** Whether no scan could be made yet. */
  readonly isFirst: boolean;
  /** Whether the last one could not be made. */
  readonly blind: boolean;
}

/** Scans of slurmd's spool folder, each held against the one before. They cost no RPC. */
export function scanSockets(
  options: { readonly spoolDir: string; readonly node: string; readonly log: Log },
  known: () => Iterable<KnownJob>,
  foreign: ForeignJobs,
): SocketScan {
  const { spoolDir, node, log } = options;
  let sockets: Sockets | null = null;
  let blind = false;

  return {
    get isFirst() {
      return sockets === null;
    },
    get blind() {
      return blind;
    },
    has: (jobId) => sockets?.has(jobId) === true,
    async changed() {
      let now: Sockets;
      try {
        now = await spoolJobs(spoolDir, node);
      } catch (error) {
        const instead = 'only hooks tell of jobs, and every slurm.reconcile the whole job table of slurmctld';
        if (!blind) log.error({ err: error, spoolDir }, `slurmd's spool folder cannot be read: ${instead}`);
        blind = true;
        return null;
      }
      const ours = new Set([...known()].map(({ jobId }) => jobId));
      // What an earlier process knew may have changed unseen.
      const unseen = [...ours].map(
        (jobId) => [jobId, { jobId, incarnation: 'unseen', batch: false }] as const,
      );
      const changed = changedSockets(sockets ?? new Map(unseen), now).filter(
        (jobId) => ours.has(jobId) || !foreign.covers(jobId, now.get(jobId)),
      );
      foreign.keep(now);
      sockets = now;
      blind = false;
      return changed;
    },
  };
}
