import type { Lookup } from '../../slurm/query-job.ts';
import type { Clock, Log } from '../../system/ports.ts';
import type { Store } from '../ports.ts';
import type { Upkeep } from '../store/upkeep.ts';

export interface RetentionPorts {
  readonly store: Pick<Store, 'readOrder' | 'removeJob'> & { readonly upkeep: Upkeep };
  /** One job, by a single record. */
  readonly lookup: Lookup;
  /** This node's name in Slurm. */
  readonly node: string;
  readonly clock: Clock;
  readonly log: Log;
}
