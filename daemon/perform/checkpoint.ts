import type { Effect } from '../vocabulary/effect.ts';
import type { Outcome } from '../vocabulary/outcome.ts';
import { staleRun } from './fresh-run.ts';
import type { Performance, PerformPorts } from './ports.ts';

type Checkpoint = Extract<Effect, { kind: 'checkpoint' }>;

/**
 * A restore waits for a final checkpoint, so the query before it is short. A checkpoint of a run that is gone is
 * harmless.
 */
const FINAL_LOOKS_WITHIN_MS = 2_000;

/**
 * Asks for a checkpoint of this run, if it is RUNNING. A heartbeat that an earlier process may have sent is dropped:
 * its answer is lost, and the next one is due soon. A final checkpoint is asked for again, since a restore waits for it
 * and one more checkpoint is harmless.
 */
export async function performCheckpoint(ports: PerformPorts, p: Performance<Checkpoint>): Promise<Outcome> {
  const { effect } = p;
  if (p.sentBefore !== null && effect.reason === 'heartbeat') {
    return { type: 'unavailable', message: 'ckptd ended before the answer came' };
  }
  if (ports.clock.now() >= effect.expiresAt) return { type: 'unavailable', message: 'its time was over' };
  const withinMs = effect.reason === 'heartbeat' ? null : FINAL_LOOKS_WITHIN_MS;
  const stale = await staleRun(ports, effect, ['RUNNING'], p.signal, withinMs);
  if (stale !== null) return stale;
  p.markSent();
  return ports.api.checkpoint(
    {
      jobId: effect.jobId,
      jobName: effect.jobName,
      kind: effect.checkpointKind,
      reason: effect.reason,
      expiresAt: effect.expiresAt,
    },
    p.signal,
  );
}
