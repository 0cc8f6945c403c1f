import type { Millis } from '../../vocabulary/job.ts';
import { criuVersion } from '../criu/version.ts';
import type { CheckpointAnswer, Checkpointer } from '../ports.ts';
import { noRoom } from './disk-space.ts';
import { publish } from './dump/publish.ts';
import { makeStaging, type Staging } from './dump/staging.ts';
import { RUNNING, type RunningJob } from './find/find-job.ts';
import { retireOverwritten } from './overwritten.ts';
import { retryTransient } from './retry-transient.ts';
import type { Source } from './source.ts';
import type { Table } from './table.ts';
import { take } from './take.ts';

/** Each try stops the job, and the next heartbeat is one more. */
const TRIES_MS: Millis = 2_000;

type CheckpointAsk = Parameters<Checkpointer['checkpoint']>[0];

/** Answers once the dump is under way; what becomes of it is in the table, and then in the store. */
export async function checkpoint(
  source: Source,
  table: Table,
  ask: CheckpointAsk,
): Promise<CheckpointAnswer> {
  const { jobId } = ask;
  const other = table.workOn(jobId);
  if (other) return { ok: false, status: 404, message: `${other.what} is under way for job ${jobId}` };
  const actionId = source.newId();
  const free = table.take(jobId, `checkpoint ${actionId}`);
  const ready = await prepare(source, ask, actionId).catch(
    (error: Error) => ({ ok: false, status: 500, message: error.message }) as const,
  );
  if ('ok' in ready) {
    free();
    return ready;
  }
  table.set(actionId, 'initialized');
  table.background(save(source, table, ask, actionId, ready, free));
  return { ok: true, actionId };
}

/** Everything that can be known before the job is touched. */
async function prepare(
  source: Source,
  { jobId, kind }: CheckpointAsk,
  actionId: string,
): Promise<{ job: RunningJob; staging: Staging } | Exclude<CheckpointAnswer, { ok: true }>> {
  const { config, exec } = source;
  const found = await source.known.find(source.finder, jobId, RUNNING, source.signal);
  if (!found.ok) return { ok: false, status: found.final ? 404 : 500, message: found.message };
  if (found.unasked !== undefined)
    source.log.warn(
      { job_id: jobId, action_id: actionId, problem: found.unasked },
      `job ${jobId} is saved by what Slurm last said of it`,
    );
  const criu = kind === 'rootfsonly' ? { ok: true as const } : await criuVersion(exec, config.criu);
  if (!criu.ok) return { ok: false, status: 500, message: criu.message };
  const problem = await noRoom(source, found.job, kind);
  if (problem !== null) return { ok: false, status: 500, message: problem };
  return { job: found.job, staging: await makeStaging(config.workDir, actionId) };
}

async function save(
  source: Source,
  table: Table,
  { jobId, kind, reason }: CheckpointAsk,
  actionId: string,
  { job, staging }: { job: RunningJob; staging: Staging },
  free: () => void,
): Promise<void> {
  const about = { job_id: jobId, action_id: actionId };
  async function takeAndPublish(): Promise<number> {
    await using _ = staging;
    table.set(actionId, 'processing');
    const taking = { actionId, kind, reason, staging };
    const taken = await retryTransient(source, staging, TRIES_MS, () => take(source, job, taking)).finally(
      free,
    );
    table.set(actionId, 'checkpoint_created');
    const found = await source.compressing.with(() => publish(source.publisher, taken, source.signal));
    await retireOverwritten(source, found);
    return taken.frozenMs;
  }
  try {
    const frozenMs = await takeAndPublish();
    table.forget(actionId);
    source.log.info({ ...about, kind, frozen_ms: Math.round(frozenMs) }, 'checkpoint is ready');
  } catch (error) {
    const { message } = error as Error;
    table.failed(actionId, message);
    source.log.error({ ...about, kind, problem: message }, `job ${jobId} has no new checkpoint`);
  }
}
