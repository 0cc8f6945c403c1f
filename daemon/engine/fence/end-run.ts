import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../system/ports.ts';
import type { Millis } from '../../vocabulary/job.ts';
import type { Freezer, StepFolder } from '../proc/cgroup-freezer.ts';
import type { Process } from '../proc/process.ts';
import { batchTaskNow, isStepdNow, membersNow, processNow } from '../proc/process-sync.ts';
import type { BatchRun } from './batch-runs.ts';

export interface Ender {
  readonly freezer: Freezer;
  readonly clock: Clock;
  readonly proc: string;
  /** kill(2). */
  readonly signal: (pid: number, signal: NodeJS.Signals) => void;
}

/** A process that waits for a dead file server may take for ever. */
const TRY_FOR_MS: Millis = 5_000;
const POLL_MS: Millis = 20;

/** The cgroups that hold a job's own processes, one a step; not its slurmstepds. Empty once the job is gone. */
export function partsOf({ version, folder }: Pick<BatchRun, 'version' | 'folder'>): StepFolder[] {
  const steps = foldersIn(folder).filter((name) => name.startsWith('step_'));
  return steps.map((name) => ({
    version,
    folder: version === 1 ? join(folder, name) : join(folder, name, 'user'),
  }));
}

function foldersIn(folder: string): string[] {
  try {
    const entries = readdirSync(folder, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch {
    return [];
  }
}

/** Whether the very batch script that was seen still runs. */
export function isSameRun(proc: string, { task }: BatchRun): boolean {
  return processNow(proc, task.pid)?.startTime === task.startTime;
}

/**
 * Ends everything of a job on this node. It is halted first, so that none of it sees another
 * die. Then its slurmstepds, before all else: one that lives on reports to slurmctld that the batch script was
 * killed, and slurmctld (24.11) takes that for the end of the job that waits for its next run (`_job_complete …
 * cancelled by interactive user`; where it runs already, it is refused as of the wrong node).
 *
 * `gone`: the run had ended already, and nothing was done. Rejects, naming them, where processes are left.
 */
export async function endRun(ender: Ender, run: BatchRun): Promise<'ended' | 'gone'> {
  const { freezer, clock, proc } = ender;
  if (!isSameRun(proc, run)) return 'gone';
  let until = clock.now() + TRY_FOR_MS;
  const halted = new Map<string, StepFolder>();
  for (;;) {
    for (const part of partsOf(run)) {
      await freezer.halt(part);
      halted.set(part.folder, part);
    }
    const left = await stepdsOf(proc, run);
    if (left.length === 0 || clock.now() >= until) break;
    for (const stepd of left) kill(ender, stepd);
    await clock.sleep(POLL_MS);
  }
  until = clock.now() + TRY_FOR_MS;
  for (;;) {
    const members = [...(await membersNow(proc, run.folder)).values()];
    const alive = members.filter(({ state }) => !/[ZX]/.test(state));
    if (alive.length === 0) return 'ended';
    for (const process of alive) kill(ender, process);
    for (const part of halted.values()) await freezer.thaw(part);
    if (clock.now() >= until) throw new Error(`not even SIGKILL has ended ${namesOf(alive)}`);
    await clock.sleep(POLL_MS);
  }
}

/**
 * In the job's cgroup and in none of its parts, or the parent of its batch script. The task of a restored job is a
 * slurmstepd that never became another program (`hooks/spank/task.c`), and part of the job: it is halted with it.
 */
async function stepdsOf(proc: string, run: BatchRun): Promise<Process[]> {
  const found = new Map<number, Process>();
  const inParts = new Set<number>();
  for (const { folder } of partsOf(run)) {
    const members = await membersNow(proc, folder);
    for (const pid of members.keys()) inParts.add(pid);
    const task = batchTaskNow(proc, members);
    const parent = task && processNow(proc, task.ppid);
    if (parent && isStepdNow(proc, parent)) found.set(parent.pid, parent);
  }
  const members = await membersNow(proc, run.folder);
  for (const process of members.values())
    if (!inParts.has(process.pid) && isStepdNow(proc, process)) found.set(process.pid, process);
  return [...found.values()].filter(({ state }) => !/[ZX]/.test(state));
}

/** This very process, or nobody. */
function kill({ proc, signal }: Ender, { pid, startTime }: Process): void {
  if (processNow(proc, pid)?.startTime !== startTime) return;
  try {
    signal(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function namesOf(processes: readonly Process[]): string {
  const names = processes.slice(0, 5).map(({ pid, name }) => `${pid} (${name})`);
  return (
    names.join(', ') + (processes.length > names.length ? ` and ${processes.length - names.length} more` : '')
  );
}
