import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../system/ports.ts';
import type { Millis } from '../../vocabulary/job.ts';
import type { StepCgroup } from './cgroup.ts';
import { isGone, memberPidsNow, processNow } from './process-sync.ts';

/** A cgroup of a job's, usually its batch step's, which is stopped and started as a whole. */
export interface StepFolder {
  readonly version: StepCgroup['version'];
  readonly folder: string;
}

/** Needs none of Node's threads: a store that hangs may keep them, and a frozen job must not wait for that. */
export interface Freezer {
  /** Resolves once every task of it is frozen; rejects where some are not after `FREEZE_WITHIN_MS`, all thawed again. */
  freeze(step: StepFolder): Promise<void>;
  /**
   * Asks for it and waits for nothing: a task that hangs in a file system freezes before its next line. A cgroup that
   * is gone counts as frozen.
   */
  halt(step: StepFolder): Promise<void>;
  /** Slurm suspends and resumes a job by the same cgroup. */
  isFrozen(step: StepFolder): Promise<boolean>;
  /** A cgroup that is gone counts as thawed. Rejects with the kernel's error. */
  thaw(step: StepFolder): Promise<void>;
  /** SIGKILLs every process of a frozen cgroup, and thaws it: none of them runs another line of its program. */
  kill(step: StepFolder): Promise<void>;
  /** Wakes the processes of a cgroup that were stopped, but for those in `except`; thaws it. */
  wake(step: StepFolder, except: ReadonlySet<number>): Promise<void>;
}

/** A task that waits for a dead file server cannot be frozen. */
export const FREEZE_WITHIN_MS: Millis = 10_000;
const POLL_MS: Millis = 10;

export interface FreezerPorts {
  readonly clock: Clock;
  readonly proc: string;
  /** kill(2). */
  readonly signal: (pid: number, signal: NodeJS.Signals) => void;
}

export function createFreezer({ clock, proc, signal }: FreezerPorts): Freezer {
  async function freeze(step: StepFolder): Promise<void> {
    tell(step);
    for (let waited = 0; !isFrozen(step); waited += POLL_MS) {
      if (waited >= FREEZE_WITHIN_MS) {
        thaw(step);
        throw new Error(`${step.folder} has tasks that cannot be frozen`);
      }
      await clock.sleep(POLL_MS);
      // cgroup v1 goes through the tasks at each write and never again: one that was about to stop is missed.
      if (step.version === 1) tell(step);
    }
  }

  function tell(step: StepFolder): void {
    try {
      write(step, true);
    } catch (error) {
      throw isGone(error) ? new Error(`${step.folder} is gone: the job has ended`) : error;
    }
  }

  function halt(step: StepFolder): void {
    try {
      write(step, true);
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }

  function thaw(step: StepFolder): void {
    try {
      write(step, false);
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }

  /** Only pids that are in the cgroup at this moment: any other may be somebody else's by now. */
  function toAll(step: StepFolder, name: NodeJS.Signals, wanted: (pid: number) => boolean): void {
    for (const pid of memberPidsNow(step.folder)) if (wanted(pid)) trySignal(pid, name);
  }

  function trySignal(pid: number, name: NodeJS.Signals): void {
    try {
      signal(pid, name);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  return {
    freeze,
    isFrozen: async (step) => isFrozen(step),
    halt: async (step) => halt(step),
    thaw: async (step) => thaw(step),
    async kill(step) {
      toAll(step, 'SIGKILL', () => true);
      thaw(step);
    },
    async wake(step, except) {
      thaw(step);
      toAll(step, 'SIGCONT', (pid) => !except.has(pid) && processNow(proc, pid)?.state === 'T');
    },
  };
}

function write({ version, folder }: StepFolder, frozen: boolean): void {
  if (version === 2) put(join(folder, 'cgroup.freeze'), frozen ? '1' : '0');
  else put(join(folder, 'freezer.state'), frozen ? 'FROZEN' : 'THAWED');
}

/** Never made: a file that is not there belongs to a cgroup that is gone. */
const put = (path: string, text: string) => writeFileSync(path, text, { flag: 'r+' });

function isFrozen({ version, folder }: StepFolder): boolean {
  if (version === 2) return /^frozen 1$/m.test(readFileSync(join(folder, 'cgroup.events'), 'latin1'));
  return readFileSync(join(folder, 'freezer.state'), 'latin1').trim() === 'FROZEN';
}
