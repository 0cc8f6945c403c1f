import type { SlurmCommands } from '../../slurm/commands.ts';
import type { Mutex } from '../../system/async/mutex.ts';
import type { EnginePorts } from '../ports.ts';
import type { Freezer } from '../proc/cgroup-freezer.ts';
import type { Archiver } from './dump/archive.ts';
import type { Dumper } from './dump/dump.ts';
import type { ReachOf } from './dump/file-systems.ts';
import type { Publisher } from './dump/publish.ts';
import type { JobFinder } from './find/find-job.ts';
import type { KnownJobs } from './find/known-job.ts';

/** What the acts on a job of this node work with. */
export interface Source extends EnginePorts {
  readonly slurm: SlurmCommands;
  readonly finder: JobFinder;
  readonly known: KnownJobs;
  readonly dumper: Dumper;
  readonly archiver: Archiver;
  readonly publisher: Publisher;
  readonly freezer: Freezer;
  /** Heartbeats are compressed one at a time: the CPUs are the jobs'. */
  readonly compressing: Mutex;
  /** Read anew for every dump: file systems come and go. */
  readonly reachOf: () => Promise<ReachOf>;
  readonly proc: string;
  readonly newId: () => string;
}

/** What went wrong with one job, in a sentence for an admin. Never leaves the source's side. */
export class SourceError extends Error {
  override readonly name = 'SourceError';
}
