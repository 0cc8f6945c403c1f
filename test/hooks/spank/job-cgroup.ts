import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { removeCgroups } from '../../lab/cgroups.ts';
import { listMounts } from '../../lab/mounts.ts';

/** A cgroup with the name that slurmstepd gives that of job 77's task, in any one hierarchy of this machine. */
export interface JobCgroup extends AsyncDisposable {
  enter(pid: number): void;
  /** Who is in it. */
  pids(): number[];
}

let made = 0;

export async function jobCgroup(): Promise<JobCgroup> {
  const mounts = await listMounts();
  const hierarchy = mounts.find(
    ({ fsType, options, target }) =>
      fsType === 'cgroup2' || (fsType === 'cgroup' && /freezer/.test(options + target)),
  );
  if (!hierarchy) throw new Error('no cgroups are mounted on this machine');
  const name = `ckptd-test-${process.pid}-${++made}`;
  const folder = join(hierarchy.target, name, 'job_77/step_batch/task_0');
  mkdirSync(folder, { recursive: true });
  const procs = join(folder, 'cgroup.procs');
  return {
    enter: (pid) => writeFileSync(procs, String(pid)),
    pids: () => readFileSync(procs, 'utf8').split('\n').filter(Boolean).map(Number),
    [Symbol.asyncDispose]: () => removeCgroups(name),
  };
}
