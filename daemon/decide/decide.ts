import type { Decision } from '../vocabulary/decision.ts';
import type { Effect } from '../vocabulary/effect.ts';
import type { DaemonEvent } from '../vocabulary/event.ts';
import type { EpochMs } from '../vocabulary/job.ts';
import type { Outcome } from '../vocabulary/outcome.ts';
import type { Policy } from '../vocabulary/policy.ts';
import type { State } from '../vocabulary/state.ts';
import { checkpointAsked, restoreAsked } from './by-hand.ts';
import { checkpointSettled } from './checkpoint-settled.ts';
import { Draft } from './draft.ts';
import { evacuate } from './evacuate.ts';
import { beat, fireSlot, scheduleAnew } from './heartbeat.ts';
import { epilogSeen, jobAbsent, jobSeen, prologSeen } from './jobs.ts';
import { forgetNodes, judgeNodesAnew, nodeSeen } from './nodes.ts';
import { hurryPlans } from './plan.ts';
import { planSettled } from './plan-settled.ts';
import { sweep } from './run-over.ts';
import { wakeAt } from './wake.ts';

export const EMPTY_STATE: State = { clock: 0, jobs: new Map(), nodes: new Map() };

/**
 * What follows from one event. Pure: the same state, event and policy give the same decision.
 *
 * Time: `state.clock` only grows, by at least a millisecond an event, so that ids made of it are unique. A
 * `tick` or `slot` from the past changes nothing; any other event counts as of now. Only `started` may set the
 * clock back: the daemon may have been down while the host's clock was put right.
 *
 * After each event the same rules run over the whole state, so that the order of events that arrive together
 * does not matter: ended runs are swept out, runs on leaving nodes get plans, due heartbeats are sent.
 */
export function decide(state: State, event: DaemonEvent, policy: Policy): Decision {
  const draft = new Draft(state, timeOf(state, event), policy);
  if (!isPast(state, event)) {
    apply(draft, event);
    hurryPlans(draft);
    evacuate(draft);
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
    case 'settled':
      return settled(draft, event.effect, event.outcome);
    case 'ask-checkpoint':
      return checkpointAsked(draft, event);
    case 'ask-restore':
      return restoreAsked(draft, event);
  }
}

function settled(draft: Draft, effect: Effect, outcome: Outcome): void {
  if (effect.kind === 'checkpoint' || effect.kind === 'await-ready')
    checkpointSettled(draft, effect, outcome);
  else planSettled(draft, effect, outcome);
}
