import type { JobId, Millis } from '../vocabulary/job.ts';
import type { Outcome } from '../vocabulary/outcome.ts';
import type { PerformPorts } from './ports.ts';

/**
 * Looks whether this very run is in one of these states, right before something is done to it. What Slurm says
 * becomes an event as well, so that the daemon's picture is no older than this look.
 *
 * @param withinMs what the look may take, null for as long as a command may.
 * @returns null to go on, also when slurmctld cannot be asked: then the last known state has to do; or `stale`.
 */
export async function staleRun(
  ports: PerformPorts,
  run: { readonly jobId: JobId; readonly restarts: number },
  states: readonly string[],
  signal: AbortSignal,
  withinMs: Millis | null,
): Promise<Extract<Outcome, { type: 'stale' }> | null> {
  const look = await ports.slurm.lookup(run.jobId, signal, withinMs);
  const at = ports.clock.now();
  if (look === 'absent') {
    ports.emit({ type: 'job-absent', at, jobId: run.jobId });
    return { type: 'stale', state: 'ABSENT', message: `Slurm knows no job ${run.jobId}` };
  }
  if ('unavailable' in look) return null;
  ports.emit({ type: 'job', at, facts: look });
  if (look.restarts === run.restarts && states.includes(look.state)) return null;
  const message =
    look.restarts === run.restarts
      ? `job ${run.jobId} is ${look.state}`
      : `job ${run.jobId} is at run ${look.restarts} now, ${look.state}`;
  return { type: 'stale', state: look.state, message };
}
