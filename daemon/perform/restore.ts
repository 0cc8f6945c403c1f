/*
 * A restore is asked for once. If there was no answer (a timeout, a reset, a killed process), Slurm is checked first: a
 * run that is requeued, or back as a newer job, means that the restore happened. Only if Slurm shows twice, with some
 * time between, that nothing happened, the restore is asked for again.
 */
import { backoff } from '../system/async/backoff.ts';
import { retry } from '../system/async/retry.ts';
import type { Effect } from '../vocabulary/effect.ts';
import type { EpochMs } from '../vocabulary/job.ts';
import type { Outcome } from '../vocabulary/outcome.ts';
import { NODE_FAILURE_STATES } from '../vocabulary/slurm-states.ts';
import { staleRun } from './fresh-run.ts';
import type { Performance, PerformPorts } from './ports.ts';

type Restore = Extract<Effect, { kind: 'restore' }>;

/** Time for Slurm to show the restore: a requeue shows at once, a new job after its sbatch. */
const SETTLES_WITHIN_MS = 5_000;
/** Before a deadline, a query that takes longer costs more than it is worth. */
const LOOKS_WITHIN_MS = 2_000;
/** States from which a run can be restored: it runs, or Slurm gave it up because of its node. */
const RESTORABLE = ['RUNNING', ...NODE_FAILURE_STATES];

export function performRestore(ports: PerformPorts, p: Performance<Restore>): Promise<Outcome> {
  const { recall, signal } = p;
  let sentAt = p.sentBefore;
  let unanswered = sentAt !== null;
  return retry<Outcome>({ clock: ports.clock, signal, wake: recall }, async (attempt) => {
    if (sentAt !== null && (await happened(ports, p, sentAt))) {
      return { done: { type: 'restored', actionId: null } };
    }
    sentAt = null;
    const stale = recall.aborted ? null : await lookBefore(ports, p);
    signal.throwIfAborted();
    if (stale !== null) return { done: unanswered ? afterNoAnswer(stale) : stale };
    if (recall.aborted) return { done: { type: 'recalled' } };
    p.markSent();
    const askedAt = ports.clock.now();
    const { actionId, reason } = p.effect;
    const answer = await ports.api.restoreOnce({ actionId, clusterId: ports.clusterId, reason }, signal);
    if (answer.type === 'accepted') return { done: { type: 'restored', actionId: answer.actionId } };
    if (answer.type === 'refused') return { done: answer };
    report(ports, p.effect, attempt, answer.message);
    if (answer.type === 'retry') return { againAfter: answer.afterMs ?? backoff(attempt, ports.random()) };
    sentAt = askedAt;
    unanswered = true;
    return { againAfter: 0 };
  });
}

/** A recall aborts this query: nothing was sent yet. */
function lookBefore(ports: PerformPorts, { effect, recall, signal }: Performance<Restore>) {
  const withinMs = effect.reason === 'nodeTermination' ? LOOKS_WITHIN_MS : null;
  return staleRun(ports, effect, RESTORABLE, AbortSignal.any([signal, recall]), withinMs);
}

/**
 * The run is over, the API may have acted on its restore, and no new job came. Unless the run ended by itself, the
 * service may have ended it and failed after that. Then the job is lost, and the plan is not simply done.
 */
function afterNoAnswer(stale: Extract<Outcome, { type: 'stale' }>): Outcome {
  if (!['CANCELLED', 'ABSENT', 'NODE_FAIL'].includes(stale.state)) return stale;
  const message = `no answer to the restore, no new job, and the old run is over: ${stale.message}`;
  return { type: 'refused', status: 0, message };
}

/** Asks Slurm until it shows that the restore happened, or twice that it did not. */
function happened(ports: PerformPorts, p: Performance<Restore>, since: EpochMs): Promise<boolean> {
  const { jobId, restarts } = p.effect;
  let misses = 0;
  return retry({ clock: ports.clock, signal: p.signal }, async (attempt) => {
    const look = await ports.slurm.lookForRestored({ jobId, restarts, since }, p.signal);
    if (look.type === 'happened') {
      ports.log.info({ job_id: jobId, effect: p.effect.id }, `the restore happened: ${look.message}`);
      return { done: true };
    }
    if (look.type === 'not-yet' && ++misses >= 2) return { done: false };
    const againAfter =
      look.type === 'unknown' ? backoff(attempt, ports.random(), 1_000, 15_000) : SETTLES_WITHIN_MS;
    return { againAfter };
  });
}

function report(ports: PerformPorts, effect: Restore, attempt: number, message: string): void {
  const fields = {
    job_id: effect.jobId,
    action_id: effect.actionId,
    effect: effect.id,
    attempt: attempt + 1,
  };
  ports.log.warn(fields, `the restore of job ${effect.jobId} is not accepted yet: ${message}; retrying`);
}
