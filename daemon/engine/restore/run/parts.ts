import type { QueryJob } from '../../../slurm/query-job.ts';
import type { Lanes } from '../../../system/lanes.ts';
import type { AsOwner } from '../../owner/as-owner.ts';
import type { OwnerHelpers } from '../../owner/owner-helpers.ts';
import type { EnginePorts } from '../../ports.ts';
import type { Responds } from './responds.ts';
import type { RunStore } from './run-store.ts';

/** What the parts of the starter are made with. */
export interface Parts extends EnginePorts {
  readonly look: QueryJob;
  readonly responds: Responds;
  readonly lanes: Lanes;
  readonly asOwner: AsOwner;
  readonly helpers: OwnerHelpers;
  readonly runs: RunStore;
  /** `/proc` */
  readonly proc: string;
}
