import type { JobFacts, RestoreReason } from '../../vocabulary/job.ts';
import { ENDED_HERE_STATES, INTERRUPTED_STATES } from '../../vocabulary/slurm-states.ts';
import { asWord } from '../checkpoint/dump/publish.ts';
import type { Source } from '../checkpoint/source.ts';
import { ORDER_VERSION } from '../manifest.ts';
import type { Found, RestoreAnswer } from '../ports.ts';
import { exclusionFor } from './exclusion.ts';
import { liftHold } from './lift-hold.ts';
import { requeue } from './requeue.ts';
import { withdrawOrder } from './settle.ts';

export interface ComingBack {
  readonly named: Found;
  readonly facts: JobFacts;
  readonly target: string | null;
  readonly reason: RestoreReason;
  readonly background: (task: Promise<void>) => void;
}

/**
 * Brings back a job that does not run here any more, from the checkpoint that was named. One that Slurm holds
 * requeued already is only told where to begin from.
 */
export async function comeBack(source: Source, coming: ComingBack): Promise<RestoreAnswer> {
  const { named, facts, reason } = coming;
  const { jobId, state, restarts } = facts;
  const problem = notTheSame(facts, named);
  if (problem !== null) return { ok: false, status: 404, message: problem };
  const given = await source.store.readOrder(jobId);
  // An ask before this one, whose answer was lost.
  const isOrdered = given?.restarts === restarts && given.uid === facts.uid;
  if (state === 'PENDING' || (state === 'COMPLETING' && isOrdered)) return begin(source, coming, isOrdered);
  if (state === 'COMPLETING')
    return { ok: false, status: 500, message: `job ${jobId} is completing: ask again when it is over` };
  if (!ENDED_HERE_STATES.has(state)) {
    const where = facts.nodes.length > 0 ? ` on ${facts.nodes.slice(0, 3).join(', ')}` : '';
    return {
      ok: false,
      status: 400,
      message: `job ${jobId} is ${state}${where}: there is nothing to bring back`,
    };
  }
  if (reason !== 'manual' && !INTERRUPTED_STATES.has(state)) {
    const message = `job ${jobId} has ended by itself (${state}): it is brought back only by hand (reason manual)`;
    return { ok: false, status: 400, message };
  }
  return requeueFrom(source, coming);
}

function notTheSame(facts: JobFacts, { manifest }: Found): string | null {
  const { jobId, restarts, uid, name, submitAt } = facts;
  const why =
    uid !== manifest.uid
      ? `belongs to uid ${uid} now`
      : asWord(name) !== manifest.jobName
        ? 'has another name now'
        : restarts < manifest.restarts || (restarts === manifest.restarts && submitAt !== manifest.submitAt)
          ? 'is another job now'
          : null;
  if (why === null) return null;
  return `checkpoint ${manifest.actionId} does not fit: the id ${jobId} ${why}`;
}

/** The run waits: it is told to begin from the checkpoint, and may start at once. */
async function begin(source: Source, coming: ComingBack, isOrdered: boolean): Promise<RestoreAnswer> {
  const { named, facts, background } = coming;
  const { jobId, restarts } = facts;
  const { actionId } = named.manifest;
  if (!isOrdered && restarts === named.manifest.restarts)
    return {
      ok: false,
      status: 400,
      message: `job ${jobId} waits for the very run that ${actionId} was taken from`,
    };
  const lift = (excluded: string | null) =>
    background(liftHold(source, { jobId, restarts, excluded }, source.signal));
  if (isOrdered) {
    lift(null);
    return { ok: true, actionId: (await source.store.readOrder(jobId))?.actionId ?? actionId };
  }
  const exclusion = await exclusionFor(source, facts, coming.reason);
  await order(source, coming, restarts, exclusion.own);
  lift(exclusion.wanted);
  return { ok: true, actionId };
}

async function requeueFrom(source: Source, coming: ComingBack): Promise<RestoreAnswer> {
  const { named, facts, target, background } = coming;
  const { jobId, restarts, uid, state } = facts;
  const { actionId } = named.manifest;
  if (target === null) return { ok: false, status: 404, message: `job ${jobId} is an array that waits` };
  const exclusion = await exclusionFor(source, facts, coming.reason);
  await order(source, coming, restarts + 1, exclusion.own);
  const answer = await requeue(
    source,
    { jobId, restarts, uid, target, states: new Set([state]) },
    source.signal,
  );
  if (answer.type === 'accepted') {
    const next = { jobId, restarts: restarts + 1, excluded: exclusion.wanted };
    background(liftHold(source, next, source.signal));
    return { ok: true, actionId };
  }
  // Where Slurm may still do it the order stays: it is good for exactly that run.
  if (answer.type === 'refused' || !answer.perhaps)
    await withdrawOrder(source, { jobId, actionId }, background);
  const status = answer.type === 'refused' ? 400 : 500;
  return { ok: false, status, message: `Slurm does not requeue job ${jobId}: ${answer.message}` };
}

/** Nothing is said of the run before, which may live on where Slurm does not reach it. */
function order(
  source: Source,
  { named, facts, reason }: ComingBack,
  restarts: number,
  own: string,
): Promise<void> {
  return source.store.writeOrder({
    version: ORDER_VERSION,
    jobId: facts.jobId,
    clusterId: source.config.clusterId,
    uid: facts.uid,
    actionId: named.manifest.actionId,
    restarts,
    reason,
    fromNode: source.config.slurm.node,
    createdAt: source.clock.now(),
    excludedNodes: own,
  });
}
