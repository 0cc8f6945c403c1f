import { backoff } from '../system/async/backoff.ts';
import { retryUntil } from '../system/async/retry.ts';
import type { Effect } from '../vocabulary/effect.ts';
import type { EpochMs } from '../vocabulary/job.ts';
import type { Outcome } from '../vocabulary/outcome.ts';
import type { Performance, PerformPorts } from './ports.ts';

/** Even a guard whose time passed, in its queue or while ckptd was down, gets one try: it prevents a second copy. */
const ONE_TRY_MS = 1_000;

/** Sets the job's `Requeue`. Idempotent. */
export function performGuard(
  ports: PerformPorts,
  p: Performance<Extract<Effect, { kind: 'guard' }>>,
): Promise<Outcome> {
  const { jobId, restarts, requeue, expiresAt } = p.effect;
  // Setting the flag back to 1 has no time limit.
  const left = () => (requeue ? null : Math.max(ONE_TRY_MS, expiresAt - ports.clock.now()));
  const signal = AbortSignal.any([p.signal, p.recall]);
  return untilSlurmAnswers(ports, p, expiresAt, () =>
    ports.slurm.setRequeue(jobId, restarts, requeue, signal, left()),
  );
}

/** Ends this run. A run that is gone already counts as ended. */
export function performEndSource(
  ports: PerformPorts,
  p: Performance<Extract<Effect, { kind: 'end-source' }>>,
): Promise<Outcome> {
  const { jobId, restarts } = p.effect;
  return untilSlurmAnswers(ports, p, null, () => ports.slurm.endRun(jobId, restarts, p.signal));
}

function untilSlurmAnswers(
  ports: PerformPorts,
  p: Performance,
  expiresAt: EpochMs | null,
  act: () => Promise<Outcome>,
): Promise<Outcome> {
  const { recall, signal } = p;
  const options = { clock: ports.clock, signal, wake: recall, until: expiresAt };
  return retryUntil<Outcome>(options, async (failures) => {
    if (recall.aborted) return { done: { type: 'recalled' } };
    const outcome = await act();
    signal.throwIfAborted();
    if (outcome.type !== 'unavailable') return { done: outcome };
    if (recall.aborted) return { done: { type: 'recalled' } };
    return { againAfter: backoff(failures, ports.random(), 500, 15_000), last: outcome };
  });
}
