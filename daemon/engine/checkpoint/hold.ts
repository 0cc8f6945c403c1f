import { endHeld } from './end-held.ts';
import type { RunningJob } from './find/find-job.ts';
import { type Marker, removeMarker, writeMarker } from './marker.ts';
import type { Source } from './source.ts';

/**
 * A job that the engine stops. The marker is there from before anything is stopped until the job runs again or is
 * dead: an engine that is killed in between finds it at its next start (`migrate/recover.ts`).
 */
export interface Hold {
  /** Freezes the job's cgroup. Rejects where a task cannot be frozen; nothing is frozen then. */
  freeze(): Promise<void>;
  /**
   * Makes durable that Slurm may be told to requeue the job from now on. Rejects where it is not frozen any more
   * (`scontrol suspend` and `resume`): it has run lines by then that its dump does not know.
   */
  requeueing(): Promise<void>;
  /** The job goes on where it was. May be repeated. */
  letGo(): Promise<void>;
  /** The job is over here: none of its processes runs another line. A later run in its cgroup is left alone. */
  kill(): Promise<void>;
}

export async function holdJob(source: Source, job: RunningJob, actionId: string): Promise<Hold> {
  const { config, freezer } = source;
  const { facts, tree } = job;
  const step = { version: tree.cgroup.version, folder: tree.folder };
  const except = tree.processes.filter(({ state }) => state === 'T').map(({ pid }) => pid);
  let marker: Marker = {
    jobId: facts.jobId,
    restarts: facts.restarts,
    uid: facts.uid,
    actionId,
    cgroup: step,
    root: { pid: tree.root.pid, startTime: tree.root.startTime },
    except,
    requeueing: false,
  };
  await writeMarker(config.runDir, marker);
  return {
    freeze: () => freezer.freeze(step),
    async requeueing() {
      if (!(await freezer.isFrozen(step))) throw new Error('somebody let it go on while it was saved');
      marker = { ...marker, requeueing: true };
      await writeMarker(config.runDir, marker);
    },
    async letGo() {
      await freezer.wake(step, new Set(except));
      await removeMarker(config.runDir, facts.jobId);
    },
    async kill() {
      await endHeld(source, marker);
      await removeMarker(config.runDir, facts.jobId);
    },
  };
}
