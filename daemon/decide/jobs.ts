import type { DaemonEvent } from '../vocabulary/event.ts';
import type { JobFacts, JobId } from '../vocabulary/job.ts';
import { ENDED_STATES } from '../vocabulary/job.ts';
import type { JobRecord, PlanStep, ReadyCheckpoint } from '../vocabulary/state.ts';
import type { Draft } from './draft.ts';
import { dropPlan, makePlan } from './evacuate.ts';
import { NO_HEARTBEAT, scheduleHeartbeat } from './heartbeat.ts';
import { unreachable } from './node-away.ts';
import { chooseCheckpoint } from './plan.ts';
import { owns, ruleFor } from './rules.ts';

/** Steps of a plan for which the run itself is still needed. */
const NEEDS_THE_RUN: ReadonlySet<PlanStep> = new Set(['queued', 'guard', 'checkpoint', 'stranded']);
/** Steps of a plan that outlive the run: the answer of the API, or of scancel, is still to come. */
const OUTLIVES_THE_RUN: ReadonlySet<PlanStep> = new Set(['restore', 'end-source']);

function newRecord(jobId: JobId, restarts: number): JobRecord {
  return {
    jobId,
    restarts,
    facts: null,
    override: {},
    heartbeat: NO_HEARTBEAT,
    checkpoint: null,
    ready: null,
    plan: null,
    endedAt: null,
    endedAs: null,
  };
}

/** Slurm's word on a job makes, changes or ends its record. */
export function jobSeen(draft: Draft, facts: JobFacts): void {
  const known = draft.jobs.get(facts.jobId);
  if (known && sameJob(known, facts) && facts.restarts < known.restarts) return;
  if (known && !sameRun(known, facts)) leaveRun(draft, known, facts);
  if (ENDED_STATES.has(facts.state)) return endRun(draft, facts.jobId, facts.state);
  if (owns(facts, draft.policy.node)) enterRun(draft, facts);
  else draft.drop(facts.jobId);
}

/** A run of a job is its id and its restart count; that an id came back shows in owner and submit time. */
function sameRun(known: JobRecord, facts: JobFacts): boolean {
  if (known.restarts !== facts.restarts) return false;
  return known.facts === null || (known.facts.uid === facts.uid && known.facts.submitAt === facts.submitAt);
}

/** A requeue keeps owner and name and resets the submit time, so the submit time says nothing. */
function sameJob(known: JobRecord, facts: JobFacts): boolean {
  return known.facts === null || (known.facts.uid === facts.uid && known.facts.name === facts.name);
}

/** The checkpoint is of this run, or of an earlier one of the same job. */
function belongsTo(ready: ReadyCheckpoint, facts: JobFacts): boolean {
  if (ready.uid !== facts.uid || ready.jobName !== facts.name) return false;
  return (
    ready.restarts < facts.restarts ||
    (ready.restarts === facts.restarts && ready.submitAt === facts.submitAt)
  );
}

/** The id goes over to another run; what was under way for the old one settles by itself. */
function leaveRun(draft: Draft, known: JobRecord, facts: JobFacts): void {
  const chain = sameJob(known, facts) && facts.restarts > known.restarts;
  const why = chain ? 'the job was requeued' : 'the job id belongs to another job now';
  if (known.plan && NEEDS_THE_RUN.has(known.plan.step)) dropPlan(draft, known.jobId, why);
  draft.note('info', 'run-ended', known, `the run ended: ${why}`);
  const fresh = newRecord(facts.jobId, facts.restarts);
  draft.put({ ...fresh, ready: known.ready, override: chain ? known.override : {} });
}

function enterRun(draft: Draft, facts: JobFacts): void {
  const before = draft.jobs.get(facts.jobId) ?? newRecord(facts.jobId, facts.restarts);
  const ready = before.ready && belongsTo(before.ready, facts) ? before.ready : null;
  const job = draft.put({ ...before, facts, ready, restarts: facts.restarts, endedAt: null, endedAs: null });
  if (before.facts?.state !== facts.state) {
    draft.note('info', 'run-seen', job, `the run is ${facts.state}`, {
      nodes: facts.nodes,
      cpus: facts.cpus,
    });
  }
  if (job.heartbeat.dueAt === null || facts.state !== 'RUNNING') scheduleHeartbeat(draft, job);
}

/** Slurm knows no such job any more. */
export function jobAbsent(draft: Draft, jobId: JobId): void {
  endRun(draft, jobId, 'ABSENT');
}

/** The Prolog ran: what the user asked for is kept until Slurm says the rest. */
export function prologSeen(draft: Draft, event: Extract<DaemonEvent, { type: 'prolog' }>): void {
  const known = draft.jobs.get(event.jobId);
  if (known && known.endedAt === null && known.restarts > event.restarts) return;
  const same = known !== undefined && known.endedAt === null && known.restarts === event.restarts;
  const job = same ? known : { ...newRecord(event.jobId, event.restarts), ready: known?.ready ?? null };
  draft.put({ ...job, override: event.override });
}

/** The Epilog ran, so this run is over on this node, whether slurmctld can be asked or not. */
export function epilogSeen(draft: Draft, event: Extract<DaemonEvent, { type: 'epilog' }>): void {
  const known = draft.jobs.get(event.jobId);
  if (!known || known.endedAt !== null || event.restarts < known.restarts) return;
  draft.put({ ...known, endedAt: draft.at, heartbeat: NO_HEARTBEAT });
}

function endRun(draft: Draft, jobId: JobId, endedAs: string): void {
  const known = draft.jobs.get(jobId);
  if (!known) return;
  const { plan } = known;
  const job = draft.put({ ...known, endedAs, endedAt: known.endedAt ?? draft.at, heartbeat: NO_HEARTBEAT });
  const nodeFailed = endedAs === 'NODE_FAIL' || endedAs === 'BOOT_FAIL';
  if (plan && NEEDS_THE_RUN.has(plan.step)) {
    if (nodeFailed) chooseCheckpoint(draft, jobId);
    else dropPlan(draft, jobId, `the run ended: ${endedAs}`);
  } else if (nodeFailed && plan === null && ruleFor(job, draft.policy) !== null) {
    nodeFailure(draft, job, endedAs);
  }
}

/** Slurm gave the run up and does not requeue it: its last checkpoint is all that is left. */
function nodeFailure(draft: Draft, job: JobRecord, endedAs: string): void {
  const ownNode = draft.nodes.get(draft.policy.node)?.facts;
  if (job.ready !== null && draft.policy.restore.onDrain && !unreachable(ownNode)) {
    makePlan(draft, job, { node: null, reason: 'nodeUnschedulable' });
    return chooseCheckpoint(draft, job.jobId);
  }
  // Of a node that Slurm cannot reach the processes may still run: bringing the job back could make two of it.
  draft.note(
    'error',
    'job-lost',
    job,
    `job ${job.jobId} is lost: ${endedAs}, and Slurm does not requeue it`,
    {
      action_id: job.ready?.actionId ?? null,
      advice:
        'see that no process of it is left, then restore its last checkpoint by hand or submit it again',
    },
  );
}

/** The record of an ended run goes when Slurm confirmed the end and nothing is under way for it any more. */
export function sweep(draft: Draft): void {
  for (const job of draft.jobs.values()) {
    if (job.endedAs === null || job.checkpoint !== null) continue;
    if (job.plan && OUTLIVES_THE_RUN.has(job.plan.step)) continue;
    draft.note('info', 'run-ended', job, `the run ended: ${job.endedAs}`);
    draft.drop(job.jobId);
  }
}
