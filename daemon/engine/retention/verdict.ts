import type { JobFacts } from '../../vocabulary/job.ts';
import { ENDED_STATES, INTERRUPTED_STATES, TRANSIENT_STATES } from '../../vocabulary/slurm-states.ts';

/** Whether the checkpoints of a job are still good for something. `again`: Slurm does not say yet. */
export type Fate =
  | {
      readonly type: 'over';
      readonly why: string;
      /** Of the run that was the last; null where Slurm has forgotten it, and can requeue it no more. */
      readonly restarts: number | null;
    }
  | { readonly type: 'kept'; readonly why: string }
  | { readonly type: 'again'; readonly why: string };

/** Slurm's doing, and not the job's own end: an admin may requeue it, and it goes on from its checkpoint. */
const CUT_SHORT: ReadonlySet<string> = new Set([...INTERRUPTED_STATES, 'TIMEOUT']);

/** `seen`: Slurm's word on the job, by a single-record look. */
export function fateOf(seen: JobFacts | 'absent' | { readonly unavailable: string }): Fate {
  if (seen === 'absent') return { type: 'over', why: 'Slurm does not know the job any more', restarts: null };
  if ('unavailable' in seen) return { type: 'again', why: seen.unavailable };
  const { state, restarts } = seen;
  if (TRANSIENT_STATES.has(state)) return { type: 'again', why: `it is ${state}` };
  if (ENDED_STATES.has(state) && !CUT_SHORT.has(state))
    return { type: 'over', why: `it ended (${state})`, restarts };
  return { type: 'kept', why: `it is ${state}` };
}
