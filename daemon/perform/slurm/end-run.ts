import type { Outcome } from '../../vocabulary/outcome.ts';
import { isEnding } from '../../vocabulary/slurm-states.ts';
import { type Acting, actOutcome } from './acting.ts';
import { lookForRun, type Run } from './this-run.ts';

/**
 * Ends this run with scancel. A run that is over or ending counts as done. A run that Slurm has restarted meanwhile is
 * `stale`, and is not touched. Idempotent.
 */
export async function endRun(acting: Acting, run: Run, signal?: AbortSignal): Promise<Outcome> {
  const seen = await lookForRun(acting.look, run, signal);
  if (seen.type === 'absent') return { type: 'done' };
  if (seen.type !== 'this') return seen;
  if (isEnding(seen.facts.state)) return { type: 'done' };
  // With `--ctld` or without, scancel exits with 0 for a job that is gone.
  const result = await acting.exec.run(
    {
      kind: 'scancel',
      file: acting.slurm.path('scancel'),
      args: [seen.target],
      timeoutMs: acting.slurm.timeoutMs,
    },
    signal,
  );
  const outcome = actOutcome(result);
  return outcome === 'over' ? { type: 'done' } : outcome;
}
