import type { Outcome } from '../../vocabulary/outcome.ts';
import { ENDED_STATES } from '../../vocabulary/slurm-states.ts';
import { type Acting, actOutcome } from './acting.ts';
import { lookForRun, type Run } from './this-run.ts';

/**
 * Sets whether Slurm itself may requeue this run (`scontrol update requeue=0|1`). `stale` once the run is over: the
 * setting belongs to the job, and a later run must not inherit it. Idempotent.
 */
export async function setRequeue(
  acting: Acting,
  run: Run,
  requeue: boolean,
  signal?: AbortSignal,
): Promise<Outcome> {
  const seen = await lookForRun(acting.look, run, signal);
  if (seen.type === 'absent') return gone(run, 'ABSENT');
  if (seen.type !== 'this') return seen;
  if (ENDED_STATES.has(seen.facts.state)) return gone(run, seen.facts.state);
  if (seen.facts.requeue === requeue) return { type: 'done' };
  const result = await acting.exec.run(
    {
      kind: 'scontrol-update',
      file: acting.slurm.path('scontrol'),
      args: ['update', `jobid=${seen.target}`, `requeue=${requeue ? 1 : 0}`],
      timeoutMs: acting.slurm.timeoutMs,
    },
    signal,
  );
  const outcome = actOutcome(result);
  return outcome === 'over' ? gone(run, 'ENDED') : outcome;
}

function gone({ jobId, restarts }: Run, state: string): Outcome {
  return { type: 'stale', state, message: `run ${restarts} of job ${jobId} is over (${state})` };
}
