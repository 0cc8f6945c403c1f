import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { EpochMs, JobId } from '../../vocabulary/job.ts';
import { batchStepOf, cgroupFolder, type StepCgroup } from '../proc/cgroup.ts';
import { parseMounts } from '../proc/mounts.ts';
import { batchTaskNow, cgroupNow, membersNow, pidsNow } from '../proc/process-sync.ts';

/** A batch script that runs on this node, whatever Slurm thinks of it. */
export interface BatchRun {
  readonly jobId: JobId;
  readonly version: StepCgroup['version'];
  /** The whole job's cgroup, with every step of it and its slurmstepds. */
  readonly folder: string;
  /** slurmstepd's child: together they name this very run. */
  readonly task: { readonly pid: number; readonly startTime: number };
  readonly startedAt: EpochMs;
}

/** `USER_HZ`: what /proc counts in, on every machine that Slurm is built for. */
const TICK_MS = 10;
const MOST_RUNS = 4_096;

/**
 * Every batch run of this node by /proc and the cgroups alone: it asks nobody. Only what a slurmstepd of root's has
 * started counts; a cgroup that is named like a job's does not.
 */
export async function batchRuns(proc: string): Promise<readonly BatchRun[]> {
  const steps = await stepsIn(proc);
  if (steps.size === 0) return [];
  const bootAt = bootTime(proc);
  const runs: BatchRun[] = [];
  for (const [folder, { jobId, cgroup }] of steps) {
    const task = batchTaskNow(proc, await membersNow(proc, folder));
    if (!task) continue;
    const { pid, startTime } = task;
    runs.push({
      jobId,
      version: cgroup.version,
      folder: cgroup.version === 1 ? dirname(folder) : dirname(dirname(folder)),
      task: { pid, startTime },
      startedAt: bootAt + startTime * TICK_MS,
    });
  }
  return runs;
}

async function stepsIn(proc: string): Promise<ReadonlyMap<string, { jobId: JobId; cgroup: StepCgroup }>> {
  const mounts = parseMounts(readFileSync(join(proc, 'self/mountinfo'), 'utf8'));
  const steps = new Map<string, { jobId: JobId; cgroup: StepCgroup }>();
  for await (const pid of pidsNow(proc)) {
    const text = cgroupNow(proc, pid);
    for (const [, digits] of text.matchAll(/\/job_([1-9]\d{0,9})\/step_batch(?:\/|$)/gm)) {
      const jobId = Number(digits);
      const cgroup = batchStepOf(text, jobId);
      const folder = cgroup && cgroupFolder(cgroup, mounts);
      if (folder && steps.size < MOST_RUNS) steps.set(folder, { jobId, cgroup });
    }
  }
  return steps;
}

function bootTime(proc: string): EpochMs {
  const seconds = /^btime (\d{1,12})$/m.exec(readFileSync(join(proc, 'stat'), 'latin1'))?.[1];
  if (seconds === undefined) throw new Error(`${proc}/stat does not say when this node was booted`);
  return Number(seconds) * 1000;
}
