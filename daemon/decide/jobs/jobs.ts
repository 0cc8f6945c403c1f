import type { DaemonEvent } from '../../vocabulary/event.ts';
import type { JobFacts, JobId } from '../../vocabulary/job.ts';
import { ENDED_STATES } from '../../vocabulary/slurm-states.ts';
import type { JobRecord } from '../../vocabulary/state.ts';
import { NO_HEARTBEAT, scheduleHeartbeat } from '../checkpoints/heartbeat.ts';
import type { Draft } from '../draft.ts';
import { dropPlan } from '../evacuation/plan-end.ts';
import { NOT_RESTORED } from '../evacuation/plan-step.ts';
import { ABSENT, awaitsVerdict, isLive, owns } from '../rules.ts';
import { belongsTo, isLate, renamed, sameJob, sameRun } from './run-identity.ts';
import { abandonRun, endRun } from './run-over.ts';

function newRecord(jobId: JobId, restarts: number): JobRecord {
  return {
    jobId,
    restarts,
    facts: null,
    override: {},
    heartbeat: NO_HEARTBEAT,
    asked: 0,
    checkpoint: null,
    ready: null,
    plan: null,
    requeueDisabledByUs: false,
    endedAt: null,
    endedAs: null,
  };
}

/** Slurm reported a job: makes, changes or ends its record. */
export function jobSeen(draft: Draft, facts: JobFacts): void {
  const known = draft.jobs.get(facts.jobId);
  if (known && isLate(known, facts)) return;
  if (known && !sameRun(known, facts)) leaveRun(draft, known, facts);
  const owned = owns(facts, draft.policy.node);
  if (ENDED_STATES.has(facts.state)) {
    if (owned) learnLate(draft, facts);
    endRun(draft, facts.jobId, facts.state);
  } else if (owned) enterRun(draft, facts);
  else leaveJob(draft, facts);
}

/** The job id belongs to another run now. Effects of the old run settle by themselves. */
function leaveRun(draft: Draft, known: JobRecord, facts: JobFacts): void {
  const chain = sameJob(known, facts) && facts.restarts > known.restarts;
  const why = chain ? 'the job was requeued' : 'the job id belongs to another job now';
  abandonRun(draft, known, why, chain ? facts.restarts : null);
  const { ready } = chain ? { ready: null } : known;
  draft.note(ready === null ? 'info' : 'warn', 'run-ended', known, `the run ended: ${why}`, {
    ...(ready === null
      ? {}
      : { action_id: ready.actionId, advice: 'its checkpoint is not restored by itself' }),
  });
  const fresh = { ...newRecord(facts.jobId, facts.restarts), asked: known.asked };
  draft.put(chain ? { ...fresh, ready: known.ready, override: known.override } : fresh);
}

/** The job belongs to another node's daemon, or is pending. */
function leaveJob(draft: Draft, facts: JobFacts): void {
  const known = draft.jobs.get(facts.jobId);
  if (!known) return;
  abandonRun(draft, known, `the job is ${facts.state}, and not here`, facts.restarts);
  draft.drop(facts.jobId);
}

function enterRun(draft: Draft, facts: JobFacts): void {
  const before = draft.jobs.get(facts.jobId) ?? newRecord(facts.jobId, facts.restarts);
  const job = draft.put({
    ...before,
    facts: sharing(before.facts, ownWish(before, facts)),
    ready: readyOf(before, facts),
    requeueDisabledByUs: before.requeueDisabledByUs && (before.plan?.guarded === true || !facts.requeue),
    endedAt: null,
    endedAs: null,
  });
  if (before.facts?.state !== facts.state) {
    draft.note('info', 'run-seen', job, `the run is ${facts.state}`, {
      nodes: facts.nodes,
      cpus: facts.cpus,
    });
  }
  if (job.heartbeat.dueAt === null || facts.state !== 'RUNNING') scheduleHeartbeat(draft, job);
  const stays = !isLive(job) && !awaitsVerdict(job);
  if (stays && job.plan && NOT_RESTORED.has(job.plan.step)) {
    dropPlan(draft, job.jobId, `the run is ${facts.state}`);
  }
}

/** The newest ready checkpoint, if it belongs to this job. */
function readyOf({ facts: before, ready }: JobRecord, facts: JobFacts): JobRecord['ready'] {
  if (ready === null) return null;
  const current = renamed(ready, before, facts);
  return belongsTo(current, facts) ? current : null;
}

/** Keeps the reference of unchanged facts, so that the journal has nothing to write. */
function sharing(known: JobFacts | null, facts: JobFacts): JobFacts {
  return known !== null && JSON.stringify(known) === JSON.stringify(facts) ? known : facts;
}

/** The facts with the user's own `Requeue`: a 0 may be our guard, or a report from before it was removed. */
function ownWish(before: JobRecord, facts: JobFacts): JobFacts {
  return before.requeueDisabledByUs ? { ...facts, requeue: true } : facts;
}

/** Keeps the facts of a run of which Slurm's first report says that it ended. */
function learnLate(draft: Draft, facts: JobFacts): void {
  const known = draft.jobs.get(facts.jobId);
  if (!known || known.facts !== null) return;
  draft.put({ ...known, facts, ready: readyOf(known, facts) });
}

/** Slurm does not know the job any more. */
export function jobAbsent(draft: Draft, jobId: JobId): void {
  endRun(draft, jobId, ABSENT);
}

/** The Prolog ran: keeps the user's options until Slurm reports the job. */
export function prologSeen(draft: Draft, event: Extract<DaemonEvent, { type: 'prolog' }>): void {
  const { jobId, restarts, override } = event;
  const known = draft.jobs.get(jobId);
  if (known && known.endedAt === null && known.restarts > restarts) return;
  // Also after the Epilog: one hook's request may overtake the other's.
  if (known && known.endedAs === null && known.restarts === restarts) {
    return scheduleHeartbeat(draft, draft.put({ ...known, override }));
  }
  if (known)
    abandonRun(draft, known, 'another run of the job begins', restarts > known.restarts ? restarts : null);
  const { asked = 0, ready = null } = known ?? {};
  draft.put({ ...newRecord(jobId, restarts), override, asked, ready });
}

/** The Epilog ran: this run is over on this node, even if slurmctld cannot be asked. */
export function epilogSeen(draft: Draft, event: Extract<DaemonEvent, { type: 'epilog' }>): void {
  const known = draft.jobs.get(event.jobId);
  if (!known || known.endedAt !== null || event.restarts < known.restarts) return;
  draft.put({ ...known, endedAt: draft.at, heartbeat: NO_HEARTBEAT });
}
