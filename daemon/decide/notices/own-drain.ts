/*
 * The drain that ckptd sets on its own node: wanted for as long as a termination notice stands in earnest.
 *
 *            ┌────────────── another deadline ──────────────┐
 *            ▼                                               │
 *   lifted ─▶ setting ─▶ set ──────────────────────────────▶ set
 *     ▲         │  │      └─▶ lifting ─▶ lifted
 *     └recalled─┘  ├─▶ foreign: somebody else's. When they lift it, ours is set
 *                  └─▶ failed:  Slurm refused it. Another deadline tries again
 */
import { drainReason } from '../../vocabulary/drain-reason.ts';
import type { NodeEffect } from '../../vocabulary/effect.ts';
import type { NodeFacts } from '../../vocabulary/node.ts';
import type { Outcome } from '../../vocabulary/outcome.ts';
import { isDrained } from '../../vocabulary/slurm-states.ts';
import type { OwnDrain } from '../../vocabulary/state.ts';
import type { Draft } from '../draft.ts';
import { standingTerminations } from './terminations.ts';

/** Compares the drain that is wanted with the one that is set, after every event. */
export function keepOwnDrain(draft: Draft): void {
  const { ownDrain: drain } = draft;
  const reason = wantedReason(draft);
  switch (drain?.step) {
    case undefined:
    case 'lifted':
      if (reason !== null) askDrain(draft, reason);
      return;
    case 'setting':
      if (reason === null) draft.recalls.push(drain!.effectId);
      return;
    case 'set':
      if (reason === null) askUndrain(draft, drain!);
      else if (reason !== drain!.reason) askDrain(draft, reason);
      return;
    case 'lifting':
      if (reason !== null) draft.recalls.push(drain!.effectId);
      return;
    case 'foreign':
    case 'failed':
      if (reason === null) draft.ownDrain = null;
      else if (drain!.step === 'failed' && reason !== drain!.reason) askDrain(draft, reason);
  }
}

/** The drain's reason that is wanted now, or null. A dry run sets no new drain and keeps an old one. */
function wantedReason(draft: Draft): string | null {
  const { drainNode, restore } = draft.policy;
  if (restore.dryRun) return draft.ownDrain?.step === 'set' ? draft.ownDrain.reason : null;
  const first = drainNode ? standingTerminations(draft).find(({ dryRun }) => !dryRun) : undefined;
  return first ? drainReason(first) : null;
}

function askDrain(draft: Draft, reason: string): void {
  const effectId = `drain-node:${draft.policy.node}:${draft.at}`;
  draft.ownDrain = { reason, step: 'setting', effectId };
  draft.effects.push({ kind: 'drain-node', id: effectId, node: draft.policy.node, reason });
}

function askUndrain(draft: Draft, drain: OwnDrain): void {
  const effectId = `undrain-node:${draft.policy.node}:${draft.at}`;
  draft.ownDrain = { ...drain, step: 'lifting', effectId };
  draft.effects.push({ kind: 'undrain-node', id: effectId, node: draft.policy.node, reason: drain.reason });
}

/** Somebody else's drain is gone: the node's own drain is decided again. */
export function ownNodeSeen(draft: Draft, { node, flags }: NodeFacts): void {
  if (node !== draft.policy.node || draft.ownDrain?.step !== 'foreign') return;
  if (!isDrained(flags)) draft.ownDrain = null;
}

export function drainSettled(draft: Draft, effect: NodeEffect, outcome: Outcome): void {
  const { ownDrain: drain } = draft;
  if (drain === null || drain.effectId !== effect.id) return;
  const message = 'message' in outcome ? outcome.message : outcome.type;
  const { node, reason } = effect;
  if (effect.kind === 'drain-node') {
    draft.ownDrain = { ...drain, step: afterDrain(outcome) };
    if (outcome.type === 'done') {
      draft.note('warn', 'node-drained', null, `node ${node} is drained`, { node, reason });
    } else if (outcome.type === 'left-alone') {
      draft.note('warn', 'drain-failed', null, `node ${node} is not drained by ckptd: ${message}`, { node });
    } else if (outcome.type !== 'recalled') {
      draft.note('error', 'drain-failed', null, `node ${node} could not be drained: ${message}`, {
        node,
        advice: `scontrol update nodename=${node} state=drain reason="${reason}"`,
      });
    }
    return;
  }
  draft.ownDrain = { ...drain, step: outcome.type === 'recalled' ? 'set' : 'lifted' };
  if (outcome.type === 'done') {
    draft.note('info', 'node-undrained', null, `the drain of node ${node} is lifted`, { node, reason });
  } else if (outcome.type === 'left-alone') {
    draft.note('warn', 'drain-failed', null, `the drain of node ${node} stays: ${message}`, { node });
  } else if (outcome.type !== 'recalled') {
    draft.note('error', 'drain-failed', null, `the drain of node ${node} could not be lifted: ${message}`, {
      node,
      advice: `scontrol update nodename=${node} state=resume`,
    });
  }
}

function afterDrain(outcome: Outcome): OwnDrain['step'] {
  if (outcome.type === 'done') return 'set';
  if (outcome.type === 'left-alone') return 'foreign';
  return outcome.type === 'recalled' ? 'lifted' : 'failed';
}
