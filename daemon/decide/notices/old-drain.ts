import { readDrainReason } from '../../vocabulary/drain-reason.ts';
import { iso } from '../../vocabulary/job.ts';
import type { Draft } from '../draft.ts';
import { standingTerminations } from './terminations.ts';

/**
 * Adopts the drain left over from a replaced instance. Such a node comes back with a fresh disk, so the journal does
 * not know that the drain was ours. It is ours if its reason says so, its deadline was before this boot, and every
 * source has answered with no termination.
 */
export function adoptOldDrain(draft: Draft): void {
  const { policy, bootedAt } = draft;
  if (bootedAt === null || draft.ownDrain !== null || policy.restore.dryRun) return;
  const facts = draft.nodes.get(policy.node)?.facts;
  if (facts === undefined || !facts.flags.includes('DRAIN') || draft.unconfirmed.has(policy.node)) return;
  const deadline = readDrainReason(facts.reason)?.deadline ?? null;
  if (deadline === null || deadline >= bootedAt || standingTerminations(draft).length > 0) return;
  draft.ownDrain = { reason: facts.reason, step: 'set', effectId: `drain-node:${policy.node}:old` };
  const message = `the termination that node ${policy.node} was drained for is over`;
  draft.note('info', 'notice-withdrawn', null, message, {
    node: policy.node,
    reason: facts.reason,
    booted: iso(bootedAt),
  });
}
