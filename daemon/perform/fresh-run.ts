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
  const answer = await ports.slurm.queryJob(run.jobId, signal, withinMs);
  const at = ports.clock.now();
  if (answer.type === 'absent') {
    ports.emit({ type: 'job-absent', at, jobId: run.jobId });
    return { type: 'stale', state: 'ABSENT', message: `Slurm knows no job ${run.jobId}` };
  }
  if (answer.type === 'unavailable') return null;
  const { facts } = answer;
  ports.emit({ type: 'job', at, facts });
  if (facts.restarts === run.restarts && states.includes(facts.state)) return null;
  const message =
    facts.restarts === run.restarts
      ? `job ${run.jobId} is ${facts.state}`
      : `job ${run.jobId} is at run ${facts.restarts} now, ${facts.state}`;
  return { type: 'stale', state: facts.state, message };
}
