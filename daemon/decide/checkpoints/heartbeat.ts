import type { EpochMs, JobId, Millis } from '../../vocabulary/job.ts';
import type { HeartbeatRule } from '../../vocabulary/policy.ts';
import type { HeartbeatState, JobRecord } from '../../vocabulary/state.ts';
import type { Draft } from '../draft.ts';
import { PASSIVE_STEPS } from '../evacuation/plan-step.ts';
import { isLive, ruleFor, unsavedWork } from '../rules.ts';
import { askCheckpoint, checkpointsUnderWay } from './ask-checkpoint.ts';

/**
 * A due time further back than this was slept through: the daemon was down, or the clock jumped. It is dropped, so
 * that a cluster whose daemons all restart does not send a burst of checkpoints.
 */
const SLEPT_THROUGH_MS = 60_000;

export const NO_HEARTBEAT: HeartbeatState = {
  dueAt: null,
  slotAt: null,
  waiting: false,
  penalty: 0,
  skip: 0,
};

/** True if the run gets heartbeats: it runs, and no restore of it is under way. */
function wantsHeartbeats(job: JobRecord): boolean {
  return isLive(job) && (job.plan === null || PASSIVE_STEPS.has(job.plan.step));
}

/** The rule of a live run. A run with a plan keeps its due times, since it may stay after all. */
function liveRule(job: JobRecord, draft: Draft): HeartbeatRule | null {
  return isLive(job) ? ruleFor(job, draft.policy) : null;
}

/** The next due time of an `every` rule, strictly after `after`. Null for cron rules: `fireSlot` fires them. */
export function nextDue(job: JobRecord, rule: HeartbeatRule, after: EpochMs): EpochMs | null {
  const start = job.facts?.startAt ?? null;
  if (!('every' in rule.trigger) || start === null) return null;
  const { every } = rule.trigger;
  const first = start + every + splayOf(job.jobId, Math.min(rule.splay, every));
  return after < first ? first : first + (Math.floor((after - first) / every) + 1) * every;
}

/** Gives a run its due time: the first one, or a new one after a change of the configuration. */
export function scheduleHeartbeat(draft: Draft, job: JobRecord): void {
  const rule = liveRule(job, draft);
  const { heartbeat } = job;
  const kept = rule && 'cron' in rule.trigger && withinSplay(heartbeat.dueAt, draft.at, rule);
  const dueAt = rule === null ? null : kept ? heartbeat.dueAt : nextDue(job, rule, draft.at);
  const waiting = heartbeat.waiting && rule !== null;
  // A slot in the future was seen before the clock was set back. Kept, it would block all slots until then.
  const slotAt = heartbeat.slotAt !== null && heartbeat.slotAt > draft.at ? null : heartbeat.slotAt;
  if (dueAt === heartbeat.dueAt && waiting === heartbeat.waiting && slotAt === heartbeat.slotAt) return;
  draft.change(job.jobId, { heartbeat: { ...heartbeat, dueAt, waiting, slotAt } });
}

/** The daemon started, or its configuration changed: computes all due times again, from now on. */
export function scheduleAnew(draft: Draft): void {
  if (draft.at - draft.lastAt > SLEPT_THROUGH_MS) dropWaiting(draft, 'slept through');
  for (const job of draft.jobs.values()) scheduleHeartbeat(draft, job);
}

/** A cron line fired: each of its jobs becomes due at its own offset within the splay. */
export function fireSlot(draft: Draft, schedule: string, slotAt: EpochMs): void {
  for (const job of draft.jobs.values()) {
    const rule = wantsHeartbeats(job) ? ruleFor(job, draft.policy) : null;
    if (rule === null || !('cron' in rule.trigger) || rule.trigger.cron !== schedule) continue;
    const { heartbeat } = job;
    if (slotAt <= (heartbeat.slotAt ?? 0) || withinSplay(heartbeat.dueAt, draft.at, rule)) continue;
    const dueAt = draft.at + splayOf(job.jobId, rule.splay);
    draft.change(job.jobId, { heartbeat: { ...heartbeat, dueAt, slotAt } });
  }
}

/** True if the due time is still to come, and a schedule with this splay can have set it. */
function withinSplay(dueAt: EpochMs | null, at: EpochMs, rule: HeartbeatRule): boolean {
  return dueAt !== null && dueAt > at && dueAt <= at + rule.splay;
}

/** Sends the checkpoints that are due, as far as `heartbeat.concurrency` allows. */
export function beat(draft: Draft): void {
  for (const job of draft.jobs.values()) {
    if (job.heartbeat.dueAt !== null && job.heartbeat.dueAt <= draft.at) comeDue(draft, job);
  }
  const waiting = [...draft.jobs.values()].filter((job) => job.heartbeat.waiting && job.checkpoint === null);
  let places = draft.policy.heartbeatConcurrency - checkpointsUnderWay(draft);
  if (places <= 0 || waiting.length === 0) return;
  waiting.sort((a, b) => unsavedWork(b, draft.at) - unsavedWork(a, draft.at) || a.jobId - b.jobId);
  for (const job of waiting) {
    if (places-- <= 0) return;
    draft.change(job.jobId, { heartbeat: { ...job.heartbeat, waiting: false } });
    askCheckpoint(draft, job.jobId, { reason: 'heartbeat' });
  }
}

function comeDue(draft: Draft, job: JobRecord): void {
  const rule = liveRule(job, draft);
  const { heartbeat } = job;
  const dueAt = rule === null ? null : nextDue(job, rule, draft.at);
  const set = (fields: Partial<HeartbeatState>) =>
    draft.change(job.jobId, { heartbeat: { ...heartbeat, dueAt, ...fields } });
  if (rule === null || !wantsHeartbeats(job)) return set({ waiting: false });
  if (draft.at - (heartbeat.dueAt ?? draft.at) > SLEPT_THROUGH_MS)
    return missed(draft, job, set, 'slept through');
  if (heartbeat.waiting) noteDropped(draft, job, 'no place was free until the next was due');
  if (job.checkpoint !== null) return missed(draft, job, set, 'a checkpoint is still under way');
  if (heartbeat.skip > 0) return set({ waiting: false, skip: heartbeat.skip - 1 });
  set({ waiting: draft.at - (job.facts?.startAt ?? draft.at) >= rule.minAge });
}

function missed(draft: Draft, job: JobRecord, set: (f: Partial<HeartbeatState>) => void, why: string): void {
  noteDropped(draft, job, why);
  set({ waiting: false });
}

/** Counts a heartbeat that is not sent. It is not made up for later. */
function noteDropped(draft: Draft, job: JobRecord, why: string): void {
  draft.note('info', 'heartbeat-dropped', job, `heartbeat dropped: ${why}`);
}

/** Drops all waiting heartbeats: the API or the daemon was away, and its return must not start a burst. */
export function dropWaiting(draft: Draft, why: string): void {
  for (const job of draft.jobs.values()) {
    if (!job.heartbeat.waiting) continue;
    noteDropped(draft, job, why);
    draft.change(job.jobId, { heartbeat: { ...job.heartbeat, waiting: false } });
  }
}

/**
 * A job's fixed offset in `[0, width)`. Neighbouring job ids get distant offsets, and every daemon and every restart
 * computes the same one. (The 32-bit finalizer of MurmurHash3.)
 */
export function splayOf(jobId: JobId, width: Millis): Millis {
  let h = jobId >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  h = (h ^ (h >>> 16)) >>> 0;
  return Math.floor((h / 2 ** 32) * width);
}
