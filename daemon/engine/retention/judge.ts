import type { JobId, Millis } from '../../vocabulary/job.ts';
import type { RetentionPorts } from './ports.ts';
import { type Fate, fateOf } from './verdict.ts';

/** From the order to Slurm's requeue. */
const YOUNG_ORDER: Millis = 600_000;

/** Looks at a job once, and removes what is of no use any more. @throws StoreError */
export async function judge(ports: RetentionPorts, jobId: JobId, signal: AbortSignal): Promise<Fate> {
  const { store, lookup } = ports;
  const fate = fateOf(await lookup(jobId, signal));
  if (fate.type !== 'over') return fate;
  signal.throwIfAborted();
  if (fate.restarts !== null && (await isOrdered(ports, jobId, fate.restarts))) {
    return { type: 'again', why: 'its next run was ordered just now' };
  }
  await store.removeJob(jobId, fate.why);
  return fate;
}

/** A job that ended may be about to be requeued: its order is written before Slurm is asked to. */
async function isOrdered({ store, clock }: RetentionPorts, jobId: JobId, restarts: number): Promise<boolean> {
  // One that cannot be read keeps nothing: the job is over.
  const order = await store.readOrder(jobId).catch(() => null);
  return order !== null && order.restarts > restarts && clock.now() - order.createdAt < YOUNG_ORDER;
}
