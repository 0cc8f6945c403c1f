import type { Operation } from '../owner/protocol.ts';
import { anewMarks, retireOrMark } from './choose/anew.ts';
import type { Parts } from './run/parts.ts';
import { type StartedRun, tagOf } from './run/run.ts';

/** A run begins anew after all; `waiting`: its script only when this is done. Never rejects: whatever of it fails is logged. */
export async function undo(parts: Parts, run: StartedRun, because: string, waiting: boolean): Promise<void> {
  const { jobId, actionId, restarts, owner } = run;
  const mark = { jobId, restarts, uid: owner.uid };
  parts.log.error(
    fieldsOf(run),
    `job ${jobId} begins anew, checkpoint ${actionId} could not be restored: ${because}`,
  );
  await giveBack(parts, run, [{ op: 'merge-back', ...outOf(run), waiting }]);
  try {
    await retireOrMark(parts, mark, await parts.store.ofJob(jobId));
  } catch (error) {
    parts.log.error({ ...fieldsOf(run), err: error }, 'older checkpoints cannot be deprecated');
    await anewMarks(parts).add(mark);
  }
}

/** A run ended, and whether it began at all nobody said: its files are as they were, for the next. Never rejects. */
export async function leave(parts: Parts, run: StartedRun): Promise<void> {
  const isBack = run.phase === 'checked';
  parts.log.warn(
    fieldsOf(run),
    `job ${run.jobId} ended ${isBack ? 'without a word' : 'before it was restored'}`,
  );
  await giveBack(parts, run, [
    { op: 'put-back', ...outOf(run), left: true },
    { op: 'forget', ...outOf(run) },
  ]);
}

async function giveBack(parts: Parts, run: StartedRun, operations: readonly Operation[]): Promise<void> {
  const { asOwner, helpers, runs, log } = parts;
  const answer = await asOwner(run.owner, operations);
  helpers.close(run.jobId);
  if (answer.ok) for (const note of answer.notes) log.warn(fieldsOf(run), note);
  else log.error(fieldsOf(run), `the output of job ${run.jobId} before its restart: ${answer.message}`);
  await runs.remove(run).catch((error: unknown) => {
    log.error({ ...fieldsOf(run), err: error }, 'what was unpacked for a restore cannot be removed');
  });
}

const outOf = ({ jobId, restarts, outputs }: StartedRun) => ({ tag: tagOf(jobId, restarts), outputs });
const fieldsOf = ({ jobId, restarts, actionId }: StartedRun) => ({
  job_id: jobId,
  restarts,
  action_id: actionId,
});
