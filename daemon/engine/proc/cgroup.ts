import type { JobId } from '../../vocabulary/job.ts';
import type { Mount } from './mounts.ts';

/** The cgroup that holds the processes of a job's batch step, and not its slurmstepd. */
export interface StepCgroup {
  readonly version: 1 | 2;
  /** As /proc/<pid>/cgroup names it. */
  readonly path: string;
}

/**
 * The batch step of `jobId` that a process is in, by its /proc/<pid>/cgroup; null where it is in none.
 * Recorded from Slurm's cgroup plugins: v1 `…/uid_2000/job_7/step_batch[/task_0]` in the freezer's hierarchy
 * (slurmstepd is in `job_7`), v2 `…slurmstepd.scope/job_7/step_batch/user/task_0` (slurmstepd is in
 * `step_batch/slurm`). On a hybrid machine both kinds of line are there.
 */
export function batchStepOf(text: string, jobId: JobId): StepCgroup | null {
  let found: StepCgroup | null = null;
  for (const line of text.split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (path === undefined || controllers === undefined) continue;
    const names = path.split('/');
    const step = names.indexOf('step_batch');
    if (step < 2 || names[step - 1] !== `job_${jobId}` || names.includes('..')) continue;
    if (controllers.split(',').includes('freezer'))
      return { version: 1, path: names.slice(0, step + 1).join('/') };
    if (controllers === '' && names[step + 1] === 'user')
      found = { version: 2, path: names.slice(0, step + 2).join('/') };
  }
  return found;
}

/** Where the cgroup is in the file system, or null where its hierarchy is not mounted here. */
export function cgroupFolder(cgroup: StepCgroup, mounts: readonly Mount[]): string | null {
  const isOurs = ({ type, options }: Mount) =>
    cgroup.version === 2 ? type === 'cgroup2' : type === 'cgroup' && options.includes('freezer');
  for (const mount of mounts.filter(isOurs)) {
    const root = mount.root === '/' ? '' : mount.root;
    if (cgroup.path.startsWith(`${root}/`)) return mount.target + cgroup.path.slice(root.length);
  }
  return null;
}
