import type { Decision } from '../vocabulary/decision.ts';
import { type Effect, isNodeEffect } from '../vocabulary/effect.ts';
import type { DaemonEvent } from '../vocabulary/event.ts';
import type { EpochMs } from '../vocabulary/job.ts';
import type { Outcome } from '../vocabulary/outcome.ts';
import type { Policy } from '../vocabulary/policy.ts';
import type { State } from '../vocabulary/state.ts';
import { checkpointAsked, restoreAsked } from './by-hand.ts';
import { checkpointSettled } from './checkpoints/checkpoint-settled.ts';
import { beat, fireSlot, scheduleAnew } from './checkpoints/heartbeat.ts';
import { Draft } from './draft.ts';
import { enforceDeadlines } from './evacuation/deadlines.ts';
import { evacuate, takeBack } from './evacuation/evacuate.ts';
import { planSettled } from './evacuation/plan-settled.ts';
import { expireUnconfirmed } from './evacuation/unconfirmed.ts';
import { epilogSeen, jobAbsent, jobSeen, prologSeen } from './jobs/jobs.ts';
import { sweep } from './jobs/run-over.ts';
import { forgetNodes, judgeNodesAnew, nodeSeen } from './nodes.ts';
import { forgetUnheard, noticesSeen } from './notices/notices.ts';
import { noticeAsked, passNotices, withdrawAsked } from './notices/notices-by-hand.ts';
import { adoptOldDrain } from './notices/old-drain.ts';
import { drainSettled, keepOwnDrain } from './notices/own-drain.ts';
import { rebalance } from './notices/rebalance.ts';
import { wakeAt } from './wake.ts';

export const EMPTY_STATE: State = {
  clock: 0,
  jobs: new Map(),
  nodes: new Map(),
  notices: new Map(),
  ownDrain: null,
};

/**
 * Decides what follows from one event. Pure: the same state, event and policy give the same decision.
 *
 * Time: `state.clock` only grows, by at least a millisecond an event, so that ids made of it are unique. A `tick` or
 * `slot` from the past changes nothing; any other event counts as of now. Only `started` may set the clock back: the
 * host's clock may have been corrected while the daemon was down.
 *
 * After each event the same rules run over the whole state, so the order of events that arrive together does not
 * matter: the node's own drain is kept, runs on leaving nodes get plans, due heartbeats are sent, ended runs are swept.
 */
export function decide(state: State, event: DaemonEvent, policy: Policy): Decision {
  const draft = new Draft(state, timeOf(state, event), policy);
  if (!isPast(state, event)) {
    expireUnconfirmed(draft);
    apply(draft, event);
    passNotices(draft);
    adoptOldDrain(draft);
    keepOwnDrain(draft);
    takeBack(draft);
    enforceDeadlines(draft);
    evacuate(draft);
    rebalance(draft);
    if (event.type !== 'started') beat(draft);
    sweep(draft);
    forgetNodes(draft);
  }
  return {
    state: draft.state(),
    effects: draft.effects,
    recalls: draft.recalls,
    notes: draft.notes,
    replies: draft.replies,
    wakeAt: wakeAt(draft),
  };
}

/** `state.clock` may be a few milliseconds ahead of an event that really is new: see `timeOf`. */
const AHEAD_MS = 1_000;

function isPast(state: State, event: DaemonEvent): boolean {
  if (event.type === 'tick') return event.at <= state.clock;
  return event.type === 'slot' && event.at <= state.clock - AHEAD_MS;
}

function timeOf(state: State, event: DaemonEvent): EpochMs {
  if (event.type === 'started' && event.at <= state.clock - AHEAD_MS) return event.at;
  if (event.type === 'tick' || event.type === 'slot') return Math.max(event.at, state.clock);
  return Math.max(event.at, state.clock + 1);
}

function apply(draft: Draft, event: DaemonEvent): void {
  switch (event.type) {
    case 'started':
      forgetUnheard(draft);
      judgeNodesAnew(draft);
      return scheduleAnew(draft);
    case 'tick':
      return;
    case 'slot':
      return fireSlot(draft, event.schedule, event.at);
    case 'job':
      return jobSeen(draft, event.facts);
    case 'job-absent':
      return jobAbsent(draft, event.jobId);
    case 'prolog':
      return prologSeen(draft, event);
    case 'epilog':
      return epilogSeen(draft, event);
    case 'node':
      return nodeSeen(draft, event.facts);
    case 'notices':
      return noticesSeen(draft, event);
    case 'notices-heard':
      draft.bootedAt = event.bootedAt;
      return;
    case 'settled':
      return settled(draft, event.effect, event.outcome);
    case 'ask-checkpoint':
      return checkpointAsked(draft, event);
    case 'ask-restore':
      return restoreAsked(draft, event);
    case 'ask-notice':
      return noticeAsked(draft, event);
    case 'ask-withdraw':
      return withdrawAsked(draft, event);
  }
}

function settled(draft: Draft, effect: Effect, outcome: Outcome): void {
  if (isNodeEffect(effect)) drainSettled(draft, effect, outcome);
  else if (effect.kind === 'checkpoint' || effect.kind === 'await-ready')
    checkpointSettled(draft, effect, outcome);
  else planSettled(draft, effect, outcome);
}
