import type { JobFacts, Millis } from '../../vocabulary/job.ts';
import { isEnding, WAITING_STATES } from '../../vocabulary/slurm-states.ts';
import type { BatchRun } from './batch-runs.ts';

/** What Slurm says of the run here. */
export type SlurmWord =
  | { readonly type: 'ours' }
  /** The job waits for its next run, or has it elsewhere. */
  | { readonly type: 'superseded'; readonly why: string }
  /** Nobody runs a second copy; what is left here Slurm clears away itself. */
  | { readonly type: 'over'; readonly why: string }
  | { readonly type: 'away'; readonly why: string };

/** What the store says of it. */
export type StoreWord =
  | { readonly type: 'newer'; readonly why: string }
  /** The store is there and names no newer run. `recorded`: it names one. */
  | { readonly type: 'none'; readonly recorded: boolean }
  | { readonly type: 'away'; readonly why: string };

export type Verdict =
  | { readonly type: 'goes-on' }
  | { readonly type: 'superseded'; readonly by: 'slurm' | 'store'; readonly why: string }
  /** Nobody can say, and Slurm may give the job away from now on. */
  | { readonly type: 'isolated'; readonly why: string }
  | { readonly type: 'unsure' };

/** The clocks of two nodes differ by less. */
const CLOCKS_DIFFER: Millis = 10_000;

const shortName = (host: string): string => host.split('.')[0]!;

/** `seen`: a single-record look, now. */
export function slurmWord(
  seen: JobFacts | 'absent' | { readonly unavailable: string },
  node: string,
): SlurmWord {
  if (seen === 'absent') return { type: 'over', why: 'Slurm does not know the job any more' };
  if ('unavailable' in seen) return { type: 'away', why: seen.unavailable };
  const { state, batchHost, nodes } = seen;
  if (WAITING_STATES.has(state)) return { type: 'superseded', why: `Slurm says that it is ${state}` };
  if (isEnding(state)) return { type: 'over', why: `Slurm says that it is ${state}` };
  const here = shortName(node);
  const isElsewhere =
    batchHost !== null && shortName(batchHost) !== here && !nodes.some((name) => shortName(name) === here);
  if (isElsewhere) return { type: 'superseded', why: `Slurm says that it is ${state} on ${batchHost}` };
  return { type: 'ours' };
}

/** `record`: `run.json`, or null where there is none. */
export function storeWord(
  record: { readonly node: string; readonly startedAt: number; readonly restarts: number } | null,
  run: Pick<BatchRun, 'startedAt'>,
  node: string,
): StoreWord {
  if (record === null) return { type: 'none', recorded: false };
  if (record.node === node || record.startedAt <= run.startedAt + CLOCKS_DIFFER)
    return { type: 'none', recorded: true };
  const why = `Slurm cannot be asked, and ${record.node} has begun a newer run (restart ${record.restarts})`;
  return { type: 'newer', why };
}

/** Slurm's word goes first. `age`: since slurmctld was last heard here. */
export function verdictOf(
  slurm: SlurmWord,
  store: StoreWord,
  { age, slurmdTimeoutMs }: { readonly age: Millis; readonly slurmdTimeoutMs: Millis },
): Verdict {
  if (slurm.type === 'superseded') return { type: 'superseded', by: 'slurm', why: slurm.why };
  if (slurm.type !== 'away') return { type: 'goes-on' };
  if (store.type === 'newer') return { type: 'superseded', by: 'store', why: store.why };
  // A slurmctld that is down gives no job away, and a cut-off node would see the next run in the store.
  if (store.type === 'none') return { type: 'goes-on' };
  if (age <= slurmdTimeoutMs) return { type: 'unsure' };
  return { type: 'isolated', why: `neither Slurm (${slurm.why}) nor the store (${store.why}) can be asked` };
}
