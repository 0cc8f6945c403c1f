import { cleanText } from '../../../system/log/clean-text.ts';
import type { EpochMs, Millis } from '../../../vocabulary/job.ts';
import type { Notice } from '../../../vocabulary/notice.ts';
import { makeNotice } from '../notice.ts';
import { isRecord, parseJson, textOf } from '../parse-fields.ts';
import type { SourceHealth } from '../source-health.ts';
import { readDeadline } from './deadline.ts';
import { NOTHING, type PollResult, unreadable } from './poll-result.ts';

/** What a reader needs besides the body. */
export interface Reading {
  readonly hostAhead: Millis;
  readonly health: SourceHealth;
  readonly now: EpochMs;
}

const ACTIONS = new Set(['terminate', 'stop', 'hibernate']);

/** `{"action":"terminate","time":"2026-09-18T08:22:00Z"}` of `spot/instance-action`. */
export function readSpot(body: string, { hostAhead, health }: Reading): PollResult {
  const data = parseJson(body);
  const action = isRecord(data) ? textOf(data['action']) : null;
  if (!isRecord(data) || action === null || !ACTIONS.has(action)) {
    return unreadable('the spot instance action is none that is known: terminate, stop or hibernate');
  }
  const deadline = readDeadline(data['time'], hostAhead, health);
  const name = `${action} ${textOf(data['time'])}`;
  const reason = `EC2 will ${action} this spot instance`;
  return {
    ok: true,
    standing: [makeNotice({ source: 'ec2/spot', kind: 'termination', name, deadline, reason })],
  };
}

/** `{"noticeTime":"…Z"}` of `events/recommendations/rebalance`: when it was issued, not when the VM ends. */
export function readRebalance(body: string): PollResult {
  const data = parseJson(body);
  const given = isRecord(data) ? textOf(data['noticeTime']) : null;
  if (given === null || given === '') return unreadable('the rebalance recommendation has no noticeTime');
  const reason = 'EC2 recommends to leave this spot instance';
  const facts = { source: 'ec2/rebalance', kind: 'rebalance', name: given, deadline: null, reason } as const;
  return { ok: true, standing: [makeNotice(facts)] };
}

/** `InService`, `Terminated`, or another of Auto Scaling's states, of `autoscaling/target-lifecycle-state`. */
export function readLifecycle(body: string): PollResult {
  const state = textOf(body);
  // Among them `Warmed:Terminated`: nothing runs in a warm pool.
  if (state === null || !/^[A-Z][A-Za-z]+(?::[A-Z][A-Za-z]+)*$/.test(state)) {
    return unreadable('the target lifecycle state is no such state');
  }
  if (state !== 'Terminated') return NOTHING;
  const reason = 'EC2 Auto Scaling takes this instance out of its group';
  const facts = { source: 'ec2/asg', kind: 'termination', name: state, deadline: null, reason } as const;
  return { ok: true, standing: [makeNotice(facts)] };
}

const CODES = new Set([
  'instance-retirement',
  'instance-stop',
  'system-reboot',
  'instance-reboot',
  'system-maintenance',
]);
const STATES = new Set(['active', 'completed', 'canceled']);

/**
 * The list of `events/maintenance/scheduled`. An event counts as a termination from `lead` before its start. Until
 * then, perhaps for weeks, it is a rebalance: one checkpoint, and running jobs may well end before.
 */
export function readScheduled(body: string, lead: Millis, reading: Reading): PollResult {
  const list = parseJson(body);
  if (!Array.isArray(list)) return unreadable('the scheduled events are no list');
  let doubt: string | null = null;
  const standing: Notice[] = [];
  for (const item of list) {
    const event = scheduledEvent(item);
    if (typeof event === 'string') doubt ??= event;
    else if (!CODES.has(event.code)) {
      reading.health.odd(`EC2 has an event of a kind that is not known scheduled: ${event.code}`);
    } else if (event.state === 'active') {
      const deadline = readDeadline(event.notBefore, reading.hostAhead, reading.health);
      // A postponed event is a new one: its jobs may have come back meanwhile.
      const name = `${event.id} ${event.notBefore}`;
      const reason = `EC2 has ${event.code} scheduled for this instance (${event.id})`;
      const kind = deadline !== null && deadline - reading.now > lead ? 'rebalance' : 'termination';
      standing.push(makeNotice({ source: 'ec2/scheduled', kind, name, deadline, reason }));
    }
  }
  return { ok: true, standing, doubt };
}

interface ScheduledEvent {
  readonly id: string;
  readonly code: string;
  readonly state: string;
  readonly notBefore: string | null;
}

/** The event, or why it cannot be read. */
function scheduledEvent(item: unknown): ScheduledEvent | string {
  if (!isRecord(item)) return 'one of the scheduled events is none';
  const [code, state, id] = [item['Code'], item['State'], item['EventId']].map((field) => textOf(field, 128));
  if (!code || !/^[a-z-]{1,64}$/.test(code))
    return `a scheduled event has no code, but ${shown(item['Code'])}`;
  if (!state || !STATES.has(state)) {
    return `a scheduled event is in an unknown state ${shown(item['State'])}`;
  }
  return { id: id || 'an event without an id', code, state, notBefore: textOf(item['NotBefore']) };
}

function shown(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(cleanText(value, 40)) : typeof value;
}
