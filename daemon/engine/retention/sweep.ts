import type { JobId, Millis } from '../../vocabulary/job.ts';
import { StoreError } from '../store-error.ts';
import { judge } from './judge.ts';
import type { RetentionPorts } from './ports.ts';

/** A node that has not looked after its jobs for so long does not come back. */
export const GONE_AFTER: Millis = 7 * 24 * 3_600_000;

/** Jobs that this node has written for: what it left half-written goes. Asks Slurm nothing. The action ids. */
export async function tidyUp(ports: RetentionPorts, signal: AbortSignal): Promise<readonly string[]> {
  const { store, node, clock, log } = ports;
  const removed: string[] = [];
  await eachJob(ports, node, signal, async (jobId) => {
    const gone = await store.upkeep.removeHalfWritten(jobId, node, clock.now());
    for (const actionId of gone) {
      log.warn(
        { job_id: jobId, action_id: actionId },
        `job ${jobId}: checkpoint ${actionId} was half-written when the engine ended, and is removed`,
      );
    }
    removed.push(...gone);
  });
  return removed;
}

/**
 * Every job that `node` has checkpoints of: one single-record look each, one after the other, and what Slurm is done
 * with goes. `node` is this one, or one that is gone for good.
 */
export async function lookAfter(ports: RetentionPorts, node: string, signal: AbortSignal): Promise<void> {
  const { store, clock } = ports;
  await eachJob(ports, node, signal, async (jobId) => {
    await store.upkeep.removeHalfWritten(jobId, node, clock.now());
    // What moved on to another node is that one's to look after.
    const over =
      !(await store.upkeep.holds(jobId, node)) || (await judge(ports, jobId, signal)).type === 'over';
    if (over) await store.upkeep.forget(jobId, node);
  });
}

/** One job that cannot be looked after does not keep the others. */
async function eachJob(
  { store, log }: RetentionPorts,
  node: string,
  signal: AbortSignal,
  body: (jobId: JobId) => Promise<void>,
): Promise<void> {
  for (const jobId of await store.upkeep.jobsOf(node)) {
    signal.throwIfAborted();
    try {
      await body(jobId);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      log.warn({ job_id: jobId, err: error }, `job ${jobId}: ${error.message}`);
    }
  }
}
