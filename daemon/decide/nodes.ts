import type { NodeFacts } from '../vocabulary/node.ts';
import type { Draft } from './draft.ts';
import { reasonOfNode } from './evacuation/leaving.ts';
import { ownNodeSeen } from './notices/own-drain.ts';

/** Slurm reported a node's state. It may begin or end an episode in which the jobs leave the node. */
export function nodeSeen(draft: Draft, facts: NodeFacts): void {
  draft.confirm(facts.node);
  judge(draft, facts);
}

function judge(draft: Draft, facts: NodeFacts): void {
  const known = draft.nodes.get(facts.node);
  ownNodeSeen(draft, facts);
  const leave = reasonOfNode(draft, facts);
  const awaySince = leave === null ? null : (known?.awaySince ?? draft.at);
  draft.putNode({ facts, awaySince });
  const details = { node: facts.node, state: [facts.base, ...facts.flags].join('+'), reason: facts.reason };
  if (awaySince !== null && (known?.awaySince ?? null) === null) {
    draft.note('warn', 'node-away', null, `node ${facts.node} goes away (${leave?.reason})`, details);
  } else if (awaySince === null && known && known.awaySince !== null) {
    draft.note('info', 'node-back', null, `node ${facts.node} is back`, details);
  }
}

/** Judges all nodes again: the configuration may say otherwise which states mean that a node goes away. */
export function judgeNodesAnew(draft: Draft): void {
  for (const node of draft.nodes.values()) judge(draft, node.facts);
}

/** Forgets all nodes but this one and those of the jobs that this daemon owns. */
export function forgetNodes(draft: Draft): void {
  if (draft.nodes.size === 0) return;
  const needed = new Set([draft.policy.node]);
  for (const job of draft.jobs.values()) for (const node of job.facts?.nodes ?? []) needed.add(node);
  for (const name of draft.nodes.keys()) if (!needed.has(name)) draft.dropNode(name);
}
