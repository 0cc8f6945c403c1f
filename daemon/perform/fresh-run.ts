import type { JobId, Millis } from '../vocabulary/job.ts';
import type { Outcome } from '../vocabulary/outcome.ts';
import type { PerformPorts } from './ports.ts';

/**
 * Checks that this run is in one of these states, right before something is done to it. Slurm's answer also becomes an
 * event, so that the daemon's state is no older than this query.
 *
 * @param withinMs the time for the query; null for as long as a command may take.
 * @returns `stale`, or null to go on. Null also if slurmctld does not answer: then the last known state counts.
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
