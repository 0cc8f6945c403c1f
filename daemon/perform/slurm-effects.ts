import type { Effect } from '../vocabulary/effect.ts';
import type { EpochMs } from '../vocabulary/job.ts';
import type { Outcome } from '../vocabulary/outcome.ts';
import { backoff, waitUnlessRecalled } from './backoff.ts';
import type { Performance, PerformPorts } from './ports.ts';

/** Sets the job's `Requeue`; doing so twice is doing it once. */
export function performGuard(
  ports: PerformPorts,
  p: Performance<Extract<Effect, { kind: 'guard' }>>,
): Promise<Outcome> {
  const { jobId, restarts, requeue, expiresAt } = p.effect;
  return untilSlurmAnswers(ports, p, expiresAt, () =>
    ports.slurm.setRequeue(jobId, restarts, requeue, p.signal),
  );
}

/** Ends this very run; a run that is gone already is ended. */
export function performEndSource(
  ports: PerformPorts,
  p: Performance<Extract<Effect, { kind: 'end-source' }>>,
): Promise<Outcome> {
  const { jobId, restarts } = p.effect;
  return untilSlurmAnswers(ports, p, null, () => ports.slurm.endRun(jobId, restarts, p.signal));
}

async function untilSlurmAnswers(
  ports: PerformPorts,
  p: Performance,
  expiresAt: EpochMs | null,
  act: () => Promise<Outcome>,
): Promise<Outcome> {
  for (let attempt = 0; ; attempt++) {
    if (p.recall.aborted) return { type: 'recalled' };
    const outcome = await act();
    p.signal.throwIfAborted();
    if (outcome.type !== 'unavailable') return outcome;
    const pause = backoff(attempt, ports.random, 500, 15_000);
    if (expiresAt !== null && ports.clock.now() + pause >= expiresAt) return outcome;
    await waitUnlessRecalled(ports.clock, pause, p.recall, p.signal);
  }
}
