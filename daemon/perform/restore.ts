/*
 * A restore is asked for once. What may have been acted on without an answer (a timeout, a reset, a process
 * that was killed) is looked into first: the run gone, requeued, or brought back as a newer job means that it
 * happened. Only when Slurm shows twice, with some time between, that nothing has, is it asked for again.
 */
import { backoff } from '../system/async/backoff.ts';
import type { Effect } from '../vocabulary/effect.ts';
import type { EpochMs } from '../vocabulary/job.ts';
import type { Outcome } from '../vocabulary/outcome.ts';
import { NODE_FAILURE_STATES } from '../vocabulary/slurm-states.ts';
import { staleRun } from './fresh-run.ts';
import type { Performance, PerformPorts } from './ports.ts';
import { waitUnlessRecalled } from './wait-unless-recalled.ts';

type Restore = Extract<Effect, { kind: 'restore' }>;

/** Slurm needs a moment to show what the API did: a requeue shows at once, a new job after its sbatch. */
const SETTLES_WITHIN_MS = 5_000;
/** With a deadline ahead, a look that takes longer costs more than what it could tell. */
const LOOKS_WITHIN_MS = 2_000;
/** States in which a run can be brought back: it runs, or its node failed and Slurm gave it up. */
const RESTORABLE = ['RUNNING', ...NODE_FAILURE_STATES];

export async function performRestore(ports: PerformPorts, p: Performance<Restore>): Promise<Outcome> {
  let sentAt = p.sentBefore;
  let unanswered = sentAt !== null;
  for (let attempt = 0; ; attempt++) {
    if (sentAt !== null && (await happened(ports, p, sentAt))) return { type: 'restored', actionId: null };
    sentAt = null;
    const stale = p.recall.aborted ? null : await lookBefore(ports, p);
    p.signal.throwIfAborted();
    if (stale !== null) return unanswered ? afterNoAnswer(stale) : stale;
    if (p.recall.aborted) return { type: 'recalled' };
    p.markSent();
    const askedAt = ports.clock.now();
    const { actionId, reason } = p.effect;
    const answer = await ports.api.restoreOnce({ actionId, clusterId: ports.clusterId, reason }, p.signal);
    if (answer.type === 'accepted') return { type: 'restored', actionId: answer.actionId };
    if (answer.type === 'refused') return answer;
    report(ports, p.effect, attempt, answer.message);
    if (answer.type === 'ambiguous') {
      sentAt = askedAt;
      unanswered = true;
    } else {
      const pause = answer.afterMs ?? backoff(attempt, ports.random());
      await waitUnlessRecalled(ports.clock, pause, p.recall, p.signal);
    }
  }
}

/** A recall ends it: nothing was asked for yet. */
function lookBefore(ports: PerformPorts, { effect, recall, signal }: Performance<Restore>) {
  const withinMs = effect.reason === 'nodeTermination' ? LOOKS_WITHIN_MS : null;
  return staleRun(ports, effect, RESTORABLE, AbortSignal.any([signal, recall]), withinMs);
}

/**
 * The run is over, a restore of it may have been acted on, and nothing came up in its place. Unless the run ended
 * by itself, the service may have ended it and failed then: that is a lost job, not a plan that needs no more.
 */
function afterNoAnswer(stale: Extract<Outcome, { type: 'stale' }>): Outcome {
  if (!['CANCELLED', 'ABSENT', 'NODE_FAIL'].includes(stale.state)) return stale;
  const message = `no answer to the restore, no new job, and the old run is over: ${stale.message}`;
  return { type: 'refused', status: 0, message };
}

/** Asks Slurm until it shows that the restore happened, or twice that it did not. */
async function happened(ports: PerformPorts, p: Performance<Restore>, since: EpochMs): Promise<boolean> {
  const { jobId, restarts } = p.effect;
  for (let attempt = 0, misses = 0; misses < 2; attempt++) {
    const look = await ports.slurm.lookForRestored({ jobId, restarts, since }, p.signal);
    if (look.type === 'happened') {
      ports.log.info({ job_id: jobId, effect: p.effect.id }, `the restore happened: ${look.message}`);
      return true;
    }
    if (look.type === 'not-yet') misses++;
    if (misses >= 2) break;
    const pause =
      look.type === 'unknown' ? backoff(attempt, ports.random(), 1_000, 15_000) : SETTLES_WITHIN_MS;
    await ports.clock.sleep(pause, p.signal);
  }
  return false;
}

function report(ports: PerformPorts, effect: Restore, attempt: number, message: string): void {
  const fields = {
    job_id: effect.jobId,
    action_id: effect.actionId,
    effect: effect.id,
    attempt: attempt + 1,
  };
  ports.log.warn(
    fields,
    `restore of job ${effect.jobId} not answered yet: ${message}; it is kept and tried again`,
  );
}
