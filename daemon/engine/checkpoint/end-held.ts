import { batchTaskNow, membersNow, processNow } from '../proc/process-sync.ts';
import type { Marker } from './marker.ts';
import type { Source } from './source.ts';

/**
 * Ends the run that a marker is about, and none that has its cgroup by now: whether Slurm has requeued a job may take
 * long to find out, and a run that came back to this node is in a cgroup of the same name. Rejects with the kernel's error.
 */
export async function endHeld({ freezer, proc, log }: Source, marker: Marker): Promise<void> {
  const { jobId, actionId, cgroup, root } = marker;
  if (root && processNow(proc, root.pid)?.startTime !== root.startTime) {
    const task = batchTaskNow(proc, await membersNow(proc, cgroup.folder));
    if (task !== null) {
      log.error(
        { job_id: jobId, action_id: actionId },
        `nothing of job ${jobId} is ended here: process ${root.pid} is gone, and process ${task.pid} (${task.name}) has its cgroup`,
      );
      return;
    }
  }
  await freezer.kill(cgroup);
}
