import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { listStaging, stagingRoot } from '../checkpoint/dump/staging.ts';
import { endHeld } from '../checkpoint/end-held.ts';
import { type Marker, readMarkers, removeMarker } from '../checkpoint/marker.ts';
import type { Source } from '../checkpoint/source.ts';
import { prepareCriu } from '../criu/version.ts';
import { readProcess } from '../proc/process.ts';
import { untilItAnswers } from '../store/until-it-answers.ts';
import { StoreError } from '../store-error.ts';
import { liftHold } from './lift-hold.ts';
import { hasLiveWriter, whenWritten } from './orphan-criu.ts';
import { whichRunLives, withdrawOrder } from './settle.ts';

export interface Recovering {
  /** Keeps what takes longer than a start may. `jobId`: that job is not free before; null: no job in particular. */
  readonly background: (jobId: number | null, task: Promise<void>) => void;
  /** This checkpoint was being taken, and will never be there. */
  readonly lost: (actionId: string) => void;
}

/**
 * Lets go of what an engine before this one held: a job that was stopped runs on, or, where Slurm has requeued it
 * meanwhile, is dead here. A dump that outlived its engine is waited for. Staging folders are removed.
 */
export async function recover(source: Source, { background, lost }: Recovering): Promise<void> {
  const { config, exec, log, proc, clock, signal } = source;
  for (const marker of await readMarkers(config.runDir)) {
    if (typeof marker === 'string') {
      log.error(
        { problem: marker },
        'a job may stand frozen: look at `scontrol show job` and thaw its cgroup by hand',
      );
      continue;
    }
    const isQuick = !marker.requeueing && !(await hasLiveWriter(proc, config.workDir, marker.actionId));
    const done = letGo(source, marker);
    if (isQuick) await done;
    else background(marker.jobId, done);
  }
  for (const actionId of await listStaging(config.workDir)) {
    const remove = async () => {
      await whenWritten({ proc, workDir: config.workDir, clock }, actionId, signal);
      await rm(join(stagingRoot(config.workDir), actionId), { recursive: true, force: true });
    };
    if (await hasLiveWriter(proc, config.workDir, actionId)) background(null, remove());
    else await remove();
    background(null, tellLost(source, actionId, lost));
  }
  // Last, since it takes a while: a job may have stood frozen until now.
  const problem = await prepareCriu(exec, config.criu);
  if (problem !== null) log.warn({ problem }, '`criu check` has something to say: dumps may fail');
}

/**
 * Whoever waits for it would wait in vain. Its staging folder may have outlived it for a moment, too: only a store that
 * answers can tell.
 */
async function tellLost(source: Source, actionId: string, lost: Recovering['lost']): Promise<void> {
  const { store } = source;
  const told = async (): Promise<boolean> => {
    try {
      if ((await store.find(actionId)) === null) lost(actionId);
      return true;
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      return false;
    }
  };
  if (!(await told())) await untilItAnswers(source, told);
}

async function letGo(source: Source, marker: Marker): Promise<void> {
  const { config, freezer, log, proc, clock, signal } = source;
  const { jobId, restarts, actionId, cgroup, except } = marker;
  const about = { job_id: jobId, action_id: actionId };
  await whenWritten({ proc, workDir: config.workDir, clock }, actionId, signal);
  if ((await isGone(cgroup.folder)) || (await isAnother(proc, marker))) {
    await removeMarker(config.runDir, jobId);
    return;
  }
  const verdict = marker.requeueing ? await whichRunLives(source, marker, signal) : 'stays';
  if (verdict === 'aborted') return;
  if (verdict === 'moved') {
    await endHeld(source, marker);
    log.warn(about, 'an engine before this one requeued the job: its old run is over');
  } else {
    if (marker.requeueing) await withdrawOrder(source, marker);
    await freezer.wake(cgroup, new Set(except));
    log.warn(about, 'an engine before this one left the job stopped: it runs on');
  }
  await removeMarker(config.runDir, jobId);
  if (verdict === 'moved') await liftHold(source, { jobId, restarts: restarts + 1, excluded: null }, signal);
}

/** A later run of the job has the same cgroup, if it came back to this node. A frozen process cannot end. */
async function isAnother(proc: string, { root }: Marker): Promise<boolean> {
  if (root === undefined) return false;
  return (await readProcess(proc, root.pid))?.startTime !== root.startTime;
}

async function isGone(folder: string): Promise<boolean> {
  return stat(folder).then(
    () => false,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return true;
      throw error;
    },
  );
}
