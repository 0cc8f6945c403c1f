/*
 * The journal's state of a node may be hours old: the daemon was down, and the node may have been resumed meanwhile.
 * No restore is sent for such a node until Slurm has confirmed its state, or has had ten seconds to do so.
 */
import type { EpochMs, Millis } from '../../vocabulary/job.ts';
import type { Policy } from '../../vocabulary/policy.ts';
import type { Plan, State } from '../../vocabulary/state.ts';
import type { Draft } from '../draft.ts';
import { standingTerminations } from '../notices/terminations.ts';

/** Slurm answers within a second. Longer waits are dangerous: a node that goes away may be gone soon. */
const CONFIRMED_WITHIN_MS: Millis = 10_000;

/** The state that an earlier process left, with each of its nodes unconfirmed. */
export function takenOver(state: State, now: EpochMs): State {
  const until = now + CONFIRMED_WITHIN_MS;
  return { ...state, unconfirmed: new Map([...state.nodes.keys()].map((name) => [name, until])) };
}

/** Takes a node's state as confirmed once Slurm's time for it is over. */
export function expireUnconfirmed(draft: Draft): void {
  for (const [node, until] of draft.unconfirmed) if (until <= draft.at) draft.confirm(node);
}

type Known = Pick<Draft, 'unconfirmed' | 'notices' | 'policy'>;

/** True if the plan must wait until Slurm confirms its node. A plan with a deadline, or a notice, never waits. */
export function awaitsConfirmation(
  { unconfirmed, notices, policy }: Known,
  { node, deadline }: Plan,
): boolean {
  if (node === null || deadline !== null || !unconfirmed.has(node)) return false;
  return node !== policy.node || !standingTerminations({ notices, policy }).some(({ dryRun }) => !dryRun);
}

/** True if a restore that an earlier process left has to wait as well. */
export function restoreAwaitsConfirmation(state: State, policy: Policy, jobId: number): boolean {
  const plan = state.jobs.get(jobId)?.plan ?? null;
  if (plan?.step !== 'restore' || state.unconfirmed === undefined) return false;
  return awaitsConfirmation({ unconfirmed: state.unconfirmed, notices: state.notices, policy }, plan);
}
