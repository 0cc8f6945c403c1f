import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../system/ports.ts';
import type { Millis } from '../../vocabulary/job.ts';
import type { StepCgroup } from '../job/cgroup.ts';
import { cgroupMembers } from '../job/members.ts';
import { readProcess } from '../job/process.ts';

/** A cgroup of a job's, usually its batch step's, which is stopped and started as a whole. */
export interface StepFolder {
  readonly version: StepCgroup['version'];
  readonly folder: string;
}

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
    await tell(step);
    for (let waited = 0; !(await isFrozen(step)); waited += POLL_MS) {
      if (waited >= FREEZE_WITHIN_MS) {
        await thaw(step);
        throw new Error(`${step.folder} has tasks that cannot be frozen`);
      }
      await clock.sleep(POLL_MS);
      // cgroup v1 goes through the tasks at each write and never again: one that was about to stop is missed.
      if (step.version === 1) await tell(step);
    }
  }

  async function tell(step: StepFolder): Promise<void> {
    try {
      await write(step, true);
    } catch (error) {
      throw isGone(error) ? new Error(`${step.folder} is gone: the job has ended`) : error;
    }
  }

  async function halt(step: StepFolder): Promise<void> {
    try {
      await write(step, true);
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }

  async function thaw(step: StepFolder): Promise<void> {
    try {
      await write(step, false);
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }

  /** Only pids that are in the cgroup at this moment: any other may be somebody else's by now. */
  async function toAll(step: StepFolder, name: NodeJS.Signals, wanted: (pid: number) => Promise<boolean>) {
    for (const pid of await cgroupMembers(step.folder)) if (await wanted(pid)) trySignal(pid, name);
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
    isFrozen,
    halt,
    thaw,
    async kill(step) {
      await toAll(step, 'SIGKILL', async () => true);
      await thaw(step);
    },
    async wake(step, except) {
      await thaw(step);
      await toAll(step, 'SIGCONT', async (pid) => {
        if (except.has(pid)) return false;
        return (await readProcess(proc, pid))?.state === 'T';
      });
    },
  };
}

async function write({ version, folder }: StepFolder, frozen: boolean): Promise<void> {
  if (version === 2) return put(join(folder, 'cgroup.freeze'), frozen ? '1' : '0');
  await put(join(folder, 'freezer.state'), frozen ? 'FROZEN' : 'THAWED');
}

/** Never made: a file that is not there belongs to a cgroup that is gone. */
const put = (path: string, text: string) => writeFile(path, text, { flag: 'r+' });

async function isFrozen({ version, folder }: StepFolder): Promise<boolean> {
  if (version === 2) return /^frozen 1$/m.test(await readFile(join(folder, 'cgroup.events'), 'latin1'));
  return (await readFile(join(folder, 'freezer.state'), 'latin1')).trim() === 'FROZEN';
}

const isGone = (error: unknown): boolean =>
  ['ENOENT', 'ENODEV'].includes((error as NodeJS.ErrnoException).code ?? '');
