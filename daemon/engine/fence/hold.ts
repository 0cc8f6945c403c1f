import type { Millis } from '../../vocabulary/job.ts';
import type { BatchRun } from './batch-runs.ts';
import { endRun, isSameRun, partsOf } from './end-run.ts';
import { forgetFrozen, noteFrozen, readFrozen } from './frozen.ts';
import type { FencePorts } from './ports.ts';

/** A dump, which keeps the job still meanwhile, is not broken into at once. */
const LOCK_WITHIN_MS: Millis = 10_000;
const FROZEN = 'a freeze, since this node is cut off,';

/** The acts of the fence on one run. Each is idempotent, and may be tried again after it has rejected. */
export interface Holds {
  /** Freezes it until `thaw` or `end`. */
  freeze(run: BatchRun, why: string): Promise<void>;
  /** Lets it go on, if it is frozen. */
  thaw(run: BatchRun): Promise<void>;
  end(run: BatchRun, why: string): Promise<void>;
  /** Those that are frozen. */
  frozen(): readonly BatchRun[];
  /** Forgets what has ended by itself, or by Slurm. */
  tidy(): Promise<void>;
  /** What an engine before this one left frozen stays so, until the first turn says more. */
  recall(): Promise<void>;
}

export const nameOf = ({ jobId, task }: BatchRun): string => `${jobId}:${task.pid}:${task.startTime}`;

export function createHolds(ports: FencePorts): Holds {
  const { config, freezer, log, proc, lockJob, ended } = ports;
  const held = new Map<string, { readonly run: BatchRun; readonly free: () => void }>();

  async function hold(run: BatchRun, what: string): Promise<boolean> {
    if (held.has(nameOf(run))) return true;
    const free = await lockJob(run.jobId, what, LOCK_WITHIN_MS);
    if (free) held.set(nameOf(run), { run, free });
    return free !== null;
  }

  /** Without it only an engine that is killed meanwhile leaves the job frozen: two copies would be worse. */
  function note(run: BatchRun): void {
    try {
      noteFrozen(config.runDir, run);
    } catch (error) {
      log.warn(
        { job_id: run.jobId, err: error },
        `that job ${run.jobId} is frozen cannot be noted: ${(error as Error).message}`,
      );
    }
  }

  async function letGo(run: BatchRun): Promise<void> {
    for (const part of partsOf(run)) await freezer.thaw(part);
    forgetFrozen(config.runDir, run.jobId);
    held.get(nameOf(run))?.free();
    held.delete(nameOf(run));
  }

  return {
    async freeze(run, why) {
      const isFirst = !held.has(nameOf(run));
      if (!(await hold(run, FROZEN))) return;
      if (isFirst) note(run);
      // Each time: a step may have begun since.
      for (const part of partsOf(run)) await freezer.halt(part);
      if (!isFirst) return;
      const fields = { job_id: run.jobId, problem: why };
      log.error(
        fields,
        `job ${run.jobId} stands frozen: this node is cut off, and Slurm may run it elsewhere`,
      );
    },
    async thaw(run) {
      if (!held.has(nameOf(run))) return;
      await letGo(run);
      log.warn({ job_id: run.jobId }, `job ${run.jobId} was frozen, and runs on`);
    },
    async end(run, why) {
      const { jobId } = run;
      await hold(run, 'the end of its old run');
      note(run);
      const what = await endRun(ports, run);
      await letGo(run);
      // What is noted of the job may be another run's by now.
      if (what === 'gone') return;
      log.warn({ job_id: jobId, why }, `job ${jobId} runs anew: its old run on this node was ended`);
      await ended(jobId);
    },
    frozen: () => [...held.values()].map(({ run }) => run),
    async tidy() {
      for (const { run } of [...held.values()]) if (!isSameRun(proc, run)) await letGo(run);
    },
    async recall() {
      for (const run of readFrozen(config.runDir)) {
        if (typeof run === 'string') {
          log.error({ problem: run }, 'a job may stand frozen: thaw its cgroup by hand');
        } else if (isSameRun(proc, run)) await hold(run, FROZEN);
        else await letGo(run);
      }
    },
  };
}
