import type { SlurmCommands } from '../../slurm/commands.ts';
import type { Exec, Log } from '../../system/ports.ts';
import type { JobId } from '../../vocabulary/job.ts';
import type { EngineConfig } from '../config/config.ts';
import type { Checkpointer, Store } from '../ports.ts';
import type { Upkeep } from '../store/upkeep.ts';
import type { Ender } from './end-run.ts';

export interface FencePorts extends Ender {
  readonly config: Pick<EngineConfig, 'clusterId' | 'dir' | 'runDir' | 'slurm'>;
  readonly store: Pick<Store, 'claimRun'> & { readonly upkeep: Pick<Upkeep, 'settleIn'> };
  readonly exec: Exec;
  /** With a timeout that a look may take; see `LOOK_TIMEOUT_MS`. */
  readonly slurm: SlurmCommands;
  readonly log: Log;
  readonly lockJob: Checkpointer['lockJob'];
  /** A run was ended here: what the engine has noted of it goes. The fence does not wait for that. */
  readonly ended: (jobId: JobId) => Promise<void>;
}
