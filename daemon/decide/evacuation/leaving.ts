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
  /** Since when. An older plan was made for another reason. */
  readonly since: EpochMs;
  /** Only report what would be done. */
  readonly dryRun: boolean;
}

/**
 * Why a node has to be left, by its state in Slurm. This node's own drain is ignored: its notices tell more and
 * sooner, and the drain stays in Slurm for a moment after the notice is gone.
 */
export function reasonOfNode(draft: Draft, facts: NodeFacts): Leave | null {
  const judgedByNotices = facts.node === draft.policy.node && draft.ownDrain !== null;
  return reasonToLeave(facts, draft.policy, { ignoreOwn: judgedByNotices });
}

/** The most urgent reason over all nodes of the run: real before dry run, a termination before a drain. */
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

/** True if any node goes away, so that the runs have to be checked. */
export function anyLeaving(draft: Draft): boolean {
  if (standingTerminations(draft).length > 0) return true;
  for (const { awaySince } of draft.nodes.values()) if (awaySince !== null) return true;
  return false;
}

/** Why this node has to be left, by its notices. The earliest deadline counts, of the real notices if any. */
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
