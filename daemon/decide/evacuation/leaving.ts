import type { EpochMs, RestoreReason } from '../../vocabulary/job.ts';
import type { NodeFacts } from '../../vocabulary/node.ts';
import type { JobRecord } from '../../vocabulary/state.ts';
import type { Draft } from '../draft.ts';
import { standingTerminations } from '../notices/terminations.ts';
import { type Leave, reasonToLeave } from './node-away.ts';

/** Why a run has to leave one of its nodes. */
export interface Leaving {
  readonly node: string;
  readonly reason: RestoreReason;
  readonly deadline: EpochMs | null;
  /** Since when: a plan that is older was for something else. */
  readonly since: EpochMs;
  /** It is said what would be done, and nothing is done. */
  readonly dryRun: boolean;
}

/**
 * Slurm's word on a node. Of this node's own drain the notices tell more, and sooner: it stays in Slurm for a moment
 * after the notice is gone.
 */
export function reasonOfNode(draft: Draft, facts: NodeFacts): Leave | null {
  const judgedByNotices = facts.node === draft.policy.node && draft.ownDrain !== null;
  return reasonToLeave(facts, draft.policy, { ignoreOwn: judgedByNotices });
}

/** The gravest reason of all nodes of the run: in earnest before a rehearsal, a termination before a drain. */
export function leavingNode(draft: Draft, job: JobRecord): Leaving | null {
  let gravest: Leaving | null = null;
  for (const name of job.facts?.nodes ?? []) {
    const node = draft.nodes.get(name);
    const leave = node && node.awaySince !== null ? reasonOfNode(draft, node.facts) : null;
    if (node && leave) {
      const since = node.awaySince ?? draft.at;
      gravest = graver(gravest, { node: name, since, dryRun: draft.policy.restore.dryRun, ...leave });
    }
  }
  const own = job.facts?.nodes.includes(draft.policy.node) === true;
  return own ? graver(gravest, noticedAs(draft)) : gravest;
}

/** Whether any node goes away, so that runs have to be looked at. */
export function anyLeaving(draft: Draft): boolean {
  if (standingTerminations(draft).length > 0) return true;
  for (const { awaySince } of draft.nodes.values()) if (awaySince !== null) return true;
  return false;
}

/** This node as its notices have it: the earliest deadline of those that are meant alike. */
function noticedAs(draft: Draft): Leaving | null {
  if (!draft.policy.restore.onTermination) return null;
  const all = standingTerminations(draft);
  const inEarnest = all.filter(({ dryRun }) => !dryRun);
  const [first, ...others] = inEarnest.length > 0 ? inEarnest : all;
  if (first === undefined) return null;
  return {
    node: draft.policy.node,
    reason: 'nodeTermination',
    deadline: first.deadline,
    since: Math.max(first.seenAt, ...others.map(({ seenAt }) => seenAt)),
    dryRun: first.dryRun,
  };
}

function graver(a: Leaving | null, b: Leaving | null): Leaving | null {
  if (a === null || b === null) return a ?? b;
  if (a.dryRun !== b.dryRun) return a.dryRun ? b : a;
  const since = Math.max(a.since, b.since);
  if (a.reason !== b.reason) return { ...(a.reason === 'nodeTermination' ? a : b), since };
  return { ...((b.deadline ?? Infinity) < (a.deadline ?? Infinity) ? b : a), since };
}
