import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { JobId } from '../../vocabulary/job.ts';
import type { Verdict } from '../ports.ts';
import { readProcess } from '../proc/process.ts';
import { type RestoredRun, readRunFile } from '../proc/run-file.ts';
import type { Parts } from './run/parts.ts';
import { type StartedRun, tagOf } from './run/run.ts';

/** Notes where a restored run lives: whoever dumps it has to enter its namespaces. */
export async function noteRestored(
  { config, proc }: Pick<Parts, 'config' | 'proc'>,
  { jobId, restarts }: Pick<StartedRun, 'jobId' | 'restarts'>,
  { init, root }: { readonly init: number; readonly root: number },
): Promise<Verdict> {
  const process = await readProcess(proc, init);
  if (process?.nsPids.at(-1) !== 1 || process.nsPids.length < 2)
    return { ok: false, message: `process ${init} is not the first of a namespace` };
  const run: RestoredRun = { jobId, restarts, init, initStart: process.startTime, root };
  const folder = join(config.runDir, 'runs');
  const path = join(folder, `${jobId}.json`);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(`${path}.new`, JSON.stringify(run), { mode: 0o600 });
  await rename(`${path}.new`, path);
  return { ok: true };
}

/** Whether this very process is noted: whoever said so may have had no answer. */
export async function isNoted(
  { config, proc }: Pick<Parts, 'config' | 'proc'>,
  jobId: JobId,
  { init, root }: { readonly init: number; readonly root: number },
): Promise<boolean> {
  const run = await readRunFile(config.runDir, jobId).catch(() => null);
  if (run?.init !== init || run.root !== root) return false;
  return run.initStart === (await readProcess(proc, init))?.startTime;
}

export async function forgetRestored({ config }: Pick<Parts, 'config'>, jobId: JobId): Promise<void> {
  await rm(join(config.runDir, 'runs', `${jobId}.json`), { force: true });
}

/** What nobody needs once the job runs. Never rejects. */
export async function tidy({ asOwner, helpers, runs, log }: Parts, run: StartedRun): Promise<void> {
  const { jobId, restarts, owner, outputs } = run;
  const fields = { job_id: jobId, restarts };
  try {
    const answer = await asOwner(owner, [{ op: 'forget', tag: tagOf(jobId, restarts), outputs }]);
    if (!answer.ok)
      log.warn(fields, `what slurmstepd made in the place of the output stays: ${answer.message}`);
    else for (const note of answer.notes) log.warn(fields, note);
    await runs.remove(run);
  } catch (error) {
    log.error({ ...fields, err: error }, 'cleaning up after a restore failed');
  } finally {
    helpers.close(jobId);
  }
}
