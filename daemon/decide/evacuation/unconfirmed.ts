/*
 * What the journal says of a node may be hours old: the daemon was down, and the node may have been resumed since.
 * Until Slurm has said it again, or has had its time for that, no restore is sent for it.
 */
import type { EpochMs, Millis } from '../../vocabulary/job.ts';
import type { Policy } from '../../vocabulary/policy.ts';
import type { Plan, State } from '../../vocabulary/state.ts';
import type { Draft } from '../draft.ts';
import { standingTerminations } from '../notices/terminations.ts';

/** How long Slurm is waited for: its first answer comes within one, and a node that goes away may go soon. */
const CONFIRMED_WITHIN_MS: Millis = 10_000;

/** The state of an earlier process, as the one that starts now may take it. */
export function takenOver(state: State, now: EpochMs): State {
  const until = now + CONFIRMED_WITHIN_MS;
  return { ...state, unconfirmed: new Map([...state.nodes.keys()].map((name) => [name, until])) };
}

/** Slurm's time is over. */
export function stopDoubting(draft: Draft): void {
  for (const [node, until] of draft.unconfirmed) if (until <= draft.at) draft.confirm(node);
}

type Known = Pick<Draft, 'unconfirmed' | 'notices' | 'policy'>;

/** Whether the plan has to wait for Slurm's word on its node. A deadline, or who sent a notice, waits for nobody. */
export function awaitsWord({ unconfirmed, notices, policy }: Known, { node, deadline }: Plan): boolean {
  if (node === null || deadline !== null || !unconfirmed.has(node)) return false;
  return node !== policy.node || !standingTerminations({ notices, policy }).some(({ dryRun }) => !dryRun);
}

/** Whether a restore that an earlier process left has to wait as well. */
export function restoreAwaitsWord(state: State, policy: Policy, jobId: number): boolean {
  const plan = state.jobs.get(jobId)?.plan ?? null;
  if (plan?.step !== 'restore' || state.unconfirmed === undefined) return false;
  return awaitsWord({ unconfirmed: state.unconfirmed, notices: state.notices, policy }, plan);
}
