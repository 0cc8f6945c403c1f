import type { JobId } from '../../vocabulary/job.ts';
import { noRoom } from '../checkpoint/disk-space.ts';
import { findJob, PRESENT, RUNNING } from '../checkpoint/find/find-job.ts';
import { lookAtBatch } from '../checkpoint/find/look.ts';
import type { Source } from '../checkpoint/source.ts';
import type { Table } from '../checkpoint/table.ts';
import type { Checkpointer, Found, RestoreAnswer } from '../ports.ts';
import { comeBack } from './come-back.ts';
import { type Leaving, leave } from './leave.ts';

type RestoreAsk = Parameters<Checkpointer['restore']>[0];
type Refusal = Exclude<RestoreAnswer, { ok: true }>;

/** The checkpoint that an ask names, where it may be restored from. */
export async function findNamed(source: Source, { actionId }: RestoreAsk): Promise<Found | Refusal> {
  let found: Found | null;
  try {
    found = await source.store.find(actionId);
  } catch (error) {
    return {
      ok: false,
      status: 404,
      message: `checkpoint ${actionId} cannot be used: ${(error as Error).message}`,
    };
  }
  if (!found) return { ok: false, status: 404, message: `there is no checkpoint ${actionId}` };
  if (found.deprecated === null) return found;
  return {
    ok: false,
    status: 404,
    message: `checkpoint ${actionId} is not restored from any more: ${found.deprecated}`,
  };
}

/** A job that runs here is sent on its way; one that does not is brought back from the checkpoint. */
export async function restore(
  source: Source,
  table: Table,
  named: Found,
  ask: RestoreAsk,
): Promise<RestoreAnswer> {
  const { jobId } = named.manifest;
  // A heartbeat's dump has to end first; another restore would have been joined.
  for (let other = table.workOn(jobId); other; other = table.workOn(jobId)) await other.free;
  const actionId = source.newId();
  const free = table.take(jobId, 'a restore');
  let settled: Promise<void> = Promise.resolve();
  const unsettled = (task: Promise<void>) => {
    settled = logged(source, jobId, task);
    table.background(settled);
  };
  try {
    return await decide(source, table, named, ask, { actionId, unsettled });
  } catch (error) {
    return { ok: false, status: 500, message: (error as Error).message };
  } finally {
    // While it stands frozen, nobody else is to touch it.
    void settled.finally(free);
  }
}

async function decide(
  source: Source,
  table: Table,
  named: Found,
  { reason }: RestoreAsk,
  { actionId, unsettled }: Pick<Leaving, 'actionId' | 'unsettled'>,
): Promise<RestoreAnswer> {
  const { jobId, uid } = named.manifest;
  const background = (task: Promise<void>) => table.background(logged(source, jobId, task));
  const seen = await lookAtBatch(source, jobId, source.signal);
  if (seen.type === 'unavailable')
    return { ok: false, status: 500, message: `Slurm cannot be asked about job ${jobId}: ${seen.message}` };
  if (seen.type === 'absent')
    return { ok: false, status: 404, message: `Slurm knows no job ${jobId} any more` };
  const { facts, target } = seen;
  const isHere = PRESENT.has(facts.state) && facts.batchHost === source.config.slurm.node;
  if (!isHere || facts.uid !== uid) return comeBack(source, { named, facts, target, reason, background });
  if (!facts.requeue)
    return {
      ok: false,
      status: 400,
      message: `job ${jobId} may not be requeued (--no-requeue): it stays here`,
    };
  // Slurm suspends by the cgroup that we freeze: to let go of it would be to resume it.
  if (facts.state === 'SUSPENDED')
    return {
      ok: false,
      status: 400,
      message: `job ${jobId} is suspended: it stays here, and can be moved once it runs again`,
    };
  const found = await findJob(source.finder, jobId, RUNNING, source.signal);
  if (!found.ok) return { ok: false, status: found.final ? 400 : 500, message: found.message };
  if (found.job.facts.uid !== uid)
    return { ok: false, status: 404, message: `job ${jobId} is another user's now` };
  const room = await noRoom(source, found.job, named.manifest.kind);
  if (room !== null) return { ok: false, status: 500, message: room };
  table.set(actionId, 'processing');
  const published = () => table.forget(actionId);
  const { job } = found;
  const answer = await leave(source, { job, named, actionId, reason, published, background, unsettled });
  if (!answer.ok && table.status(actionId)) table.failed(actionId, answer.message);
  source.log[answer.ok ? 'info' : 'error'](
    { job_id: jobId, action_id: actionId, ...(answer.ok ? {} : { problem: answer.message }) },
    answer.ok ? 'the job leaves this node' : `job ${jobId} does not leave this node`,
  );
  return answer;
}

/** What goes on after the answer may fail too: nobody but the log hears of it. */
export async function logged(
  { log, signal }: Source,
  jobId: JobId | null,
  task: Promise<void>,
): Promise<void> {
  try {
    await task;
  } catch (error) {
    if (signal.aborted) return;
    log.error({ job_id: jobId, problem: (error as Error).message }, 'what was to follow did not work out');
  }
}
