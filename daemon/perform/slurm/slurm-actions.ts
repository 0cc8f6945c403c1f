import { withDeadline } from '../../system/async/deadline.ts';
import type { JobId } from '../../vocabulary/job.ts';
import type { SlurmActions } from '../ports.ts';
import type { Acting } from './acting.ts';
import { endRun } from './end-run.ts';
import { lookForRestored, type Owner } from './look-for-restored.ts';
import { queryNode, setDrain } from './set-drain.ts';
import { setRequeue } from './set-requeue.ts';

/** The performers' port to Slurm. `ownerOf`: a job's owner and name as the daemon remembers them. */
export function slurmActions(acting: Acting, ownerOf: (jobId: JobId) => Owner | null): SlurmActions {
  return {
    queryJob: (jobId, signal, withinMs) =>
      withDeadline(withinMs, signal, (limited) => acting.look(jobId, limited), acting.clock),
    setRequeue: (jobId, restarts, requeue, signal, withinMs) =>
      withDeadline(
        withinMs,
        signal,
        (limited) => setRequeue(acting, { jobId, restarts }, requeue, limited),
        acting.clock,
      ),
    endRun: (jobId, restarts, signal) => endRun(acting, { jobId, restarts }, signal),
    queryNode: (node, signal) => queryNode(acting, node, signal),
    drainNode: (node, reason, signal) => setDrain(acting, node, reason, signal),
    undrainNode: (node, signal) => setDrain(acting, node, null, signal),
    async lookForRestored({ jobId, restarts, since }, signal) {
      const found = await lookForRestored(acting, { jobId, restarts, since, owner: ownerOf(jobId) }, signal);
      if (found.type !== 'happened') return found;
      const what =
        found.how === 'requeued' ? `job ${jobId} was requeued` : `job ${found.jobId} came up in its place`;
      return { type: 'happened', message: `${what} and is ${found.state}` };
    },
  };
}
