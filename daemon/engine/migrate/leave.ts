import type { Millis, RestoreReason } from '../../vocabulary/job.ts';
import { publish, type Taken } from '../checkpoint/dump/publish.ts';
import { makeStaging } from '../checkpoint/dump/staging.ts';
import { PRESENT, type RunningJob } from '../checkpoint/find/find-job.ts';
import type { Hold } from '../checkpoint/hold.ts';
import { retireOverwritten } from '../checkpoint/overwritten.ts';
import { retryTransient } from '../checkpoint/retry-transient.ts';
import { type Source, SourceError } from '../checkpoint/source.ts';
import { takeAndHold } from '../checkpoint/take.ts';
import { ORDER_VERSION } from '../manifest.ts';
import type { Found, RestoreAnswer } from '../ports.ts';
import { type Exclusion, exclusionFor } from './exclusion.ts';
import { liftHold } from './lift-hold.ts';
import { requeue } from './requeue.ts';
import { whichRunLives, withdrawOrder } from './settle.ts';

/** The node goes away: worth more tries than a heartbeat is, which comes again. */
const TRIES_MS: Millis = 30_000;

export interface Leaving {
  readonly job: RunningJob;
  /** The checkpoint that the caller named: the new one is of its kind. */
  readonly named: Found;
  readonly actionId: string;
  readonly reason: RestoreReason;
  /** Called when the checkpoint is there for everybody. */
  readonly published: () => void;
  /** Keeps what goes on after the answer. */
  readonly background: (task: Promise<void>) => void;
  /** The same, and the job stands frozen until it has ended. */
  readonly unsettled: (task: Promise<void>) => void;
}

/**
 * Sends a running job on its way: frozen, dumped once more, published, requeued; and dead here before it can run a
 * line that the dump does not know. Whatever fails before Slurm has taken the job leaves it running here.
 */
export async function leave(source: Source, leaving: Leaving): Promise<RestoreAnswer> {
  const { job, named, actionId, reason } = leaving;
  const exclusion = await exclusionFor(source, job.facts, reason);
  let staging: Awaited<ReturnType<typeof makeStaging>>;
  try {
    staging = await makeStaging(source.config.workDir, actionId);
  } catch (error) {
    return { ok: false, status: 500, message: (error as Error).message };
  }
  await using _ = staging;
  let held: { taken: Taken; hold: Hold };
  try {
    const taking = { actionId, kind: named.manifest.kind, reason: 'restore', staging } as const;
    held = await retryTransient(source, staging, TRIES_MS, () => takeAndHold(source, job, taking));
  } catch (error) {
    if (!(error instanceof SourceError)) throw error;
    return {
      ok: false,
      status: 400,
      message: `job ${job.facts.jobId} cannot be saved, and runs on: ${error.message}`,
    };
  }
  return await send(source, leaving, held, exclusion);
}

async function send(
  source: Source,
  { job, actionId, reason, published, background, unsettled }: Leaving,
  { taken, hold }: { taken: Taken; hold: Hold },
  exclusion: Exclusion,
): Promise<RestoreAnswer> {
  const { store, config, clock, signal } = source;
  const { jobId, restarts, uid } = job.facts;
  const run = { jobId, restarts, uid, actionId };
  const next = { jobId, restarts: restarts + 1, excluded: exclusion.wanted };
  try {
    const found = await publish(source.publisher, taken, signal);
    published();
    // The job stands frozen, and a store may take minutes for this.
    background(retireOverwritten(source, found));
    await hold.requeueing();
    await store.writeOrder({
      version: ORDER_VERSION,
      jobId,
      clusterId: config.clusterId,
      uid,
      actionId,
      restarts: next.restarts,
      reason,
      fromNode: config.slurm.node,
      createdAt: clock.now(),
      ended: true,
      excludedNodes: exclusion.own,
    });
  } catch (error) {
    await stay(source, run, hold, background);
    return { ok: false, status: 500, message: `job ${jobId} runs on: ${(error as Error).message}` };
  }
  const answer = await requeue(source, { ...run, target: job.target, states: PRESENT }, signal);
  if (answer.type === 'accepted') {
    await endHere(source, run, hold);
    background(liftHold(source, next, signal));
    return { ok: true, actionId };
  }
  if (answer.type === 'unknown' && answer.perhaps) {
    unsettled(settle(source, run, hold, next, background));
    return {
      ok: false,
      status: 500,
      message: `nobody knows yet whether Slurm requeues job ${jobId}: ${answer.message}`,
    };
  }
  await stay(source, run, hold, background);
  const status = answer.type === 'refused' ? 400 : 500;
  return {
    ok: false,
    status,
    message: `Slurm does not requeue job ${jobId}, which runs on: ${answer.message}`,
  };
}

type Run = {
  readonly jobId: number;
  readonly restarts: number;
  readonly uid: number;
  readonly actionId: string;
};

async function stay(source: Source, run: Run, hold: Hold, background: Leaving['background']): Promise<void> {
  await withdrawOrder(source, run, background);
  await hold.letGo();
}

/** The job is Slurm's again: where this fails, slurmd still ends its old run, frozen or not. */
async function endHere({ log }: Source, { jobId, actionId }: Run, hold: Hold): Promise<void> {
  try {
    await hold.kill();
  } catch (error) {
    log.error(
      { job_id: jobId, action_id: actionId, problem: (error as Error).message },
      'the requeued job could not be ended here: slurmd has to do it',
    );
  }
}

async function settle(
  source: Source,
  run: Run,
  hold: Hold,
  next: Parameters<typeof liftHold>[1],
  background: Leaving['background'],
): Promise<void> {
  const verdict = await whichRunLives(source, run, source.signal);
  if (verdict === 'stays') await stay(source, run, hold, background);
  if (verdict !== 'moved') return;
  await endHere(source, run, hold);
  await liftHold(source, next, source.signal);
}
