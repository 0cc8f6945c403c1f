import type { JobFacts, JobId, Millis } from '../../../vocabulary/job.ts';
import { MOST_BEFORE, type Order, RUN_VERSION, type RunRecord } from '../../manifest.ts';
import type { Found } from '../../ports.ts';
import type { Parts } from '../run/parts.ts';

/** A node that is cut off looks into the store every 5 s, and needs a moment to end its old run. */
export const OLD_RUN_ENDS_WITHIN_MS: Millis = 15_000;

/** What is known of the runs before this one. */
export interface Before {
  readonly checkpoints: readonly Found[];
  readonly order: Order | null;
  /** `run.json`. */
  readonly record: RunRecord | null;
}

/**
 * Records in the store that the job's newest run begins here. Where the node of the run before does not respond to
 * Slurm, that run may live on: it is given the time to find the record and to end (`fence/`), before anything of this
 * one touches the job's files.
 */
export async function announce(
  parts: Parts,
  facts: Pick<JobFacts, 'jobId' | 'restarts'>,
  before: Before,
): Promise<void> {
  const { config, store, clock, log, signal } = parts;
  const { jobId, restarts } = facts;
  const { node } = config.slurm;
  const { clusterId } = config;
  const others = lastNodes(before, restarts).filter((last) => last !== node);
  const run: RunRecord = {
    ...{ version: RUN_VERSION, jobId, clusterId, restarts, node, startedAt: clock.now() },
    ...(others.length === 0 ? {} : { before: others.slice(0, MOST_BEFORE) }),
  };
  const fields = { job_id: jobId, restarts };
  await store.writeRun(run).catch((error: Error) => {
    log.error({ ...fields, err: error }, `job ${jobId}: its new run is not recorded: ${error.message}`);
  });
  const silent: string[] = [];
  for (const last of others) if (!(await parts.responds(last))) silent.push(last);
  if (silent.length === 0) return;
  const seconds = OLD_RUN_ENDS_WITHIN_MS / 1000;
  log.warn(
    { ...fields, nodes: silent },
    `job ${jobId} ran on ${silent.join(' and ')}, which does not respond: its old run is given ${seconds} s to end`,
  );
  await clock.sleep(OLD_RUN_ENDS_WITHIN_MS, signal);
}

/** Null also for one that cannot be read: nothing is lost by that but the wait. */
export async function readRecord({ store, log }: Parts, jobId: JobId): Promise<RunRecord | null> {
  return store.readRun(jobId).catch((error: Error) => {
    log.warn({ job_id: jobId, err: error }, `job ${jobId}: where it ran last is not known: ${error.message}`);
    return null;
  });
}

/**
 * Where the runs before this one may have been, unless the last was ended there before this one was ordered. An engine
 * that ended while it waited for them has left its own node in the record, and theirs beside it.
 */
function lastNodes({ checkpoints, order, record }: Before, restarts: number): string[] {
  const newest = checkpoints[0]?.manifest.node;
  const earlier = record?.restarts === restarts ? (record.before ?? []) : [];
  const nodes = new Set([newest, record?.node, ...earlier].filter((node) => node !== undefined));
  if (order?.ended && order.restarts === restarts) nodes.delete(order.fromNode);
  return [...nodes];
}
