import type { LabOptions } from '../lab/lab.ts';
import { type Lab, until } from '../lab/lab.ts';

export const FAR_NODES = 1_000;
export const PENDING_JOBS = 2_000;

/**
 * A cluster with many more nodes than there are machines: shown like all others, but powered down, so that
 * slurmctld leaves them alone. The jobs that wait there are held and the scheduler is slow, or its cycles would be
 * most of what slurmctld does.
 */
export const MANY_NODES = {
  partitions: [
    'PartitionName=main Nodes=n[1-4] Default=YES MaxTime=INFINITE State=UP',
    `PartitionName=far Nodes=far[1-${FAR_NODES}] MaxTime=INFINITE State=UP`,
  ],
  slurmConf: `NodeName=far[1-${FAR_NODES}] NodeAddr=127.0.0.1 CPUs=64 RealMemory=256000 State=CLOUD
PrivateData=cloud
SuspendProgram=/bin/true
ResumeProgram=/bin/true
SuspendTime=INFINITE
SlurmdTimeout=300
SlurmctldDebug=info
SchedulerParameters=sched_interval=10,bf_interval=600
`,
  nodes: 4,
  nodeConf: 'CPUs=64 RealMemory=64000',
  timeoutMs: 60_000,
} satisfies LabOptions;

/** Submits the jobs that wait; returns when slurmctld has all of them and has come to rest. */
export async function fillQueue({ ctl }: Lab): Promise<void> {
  const script = `printf '#!/bin/sh\\nsleep 1\\n' >/tmp/pending.sh
    seq ${PENDING_JOBS} | xargs -P2 -n100 sh -c \
      'for i; do sbatch -Q -H -p far -J "pending-$i" -o /dev/null /tmp/pending.sh || exit; done' sh`;
  await ctl.run(script, { timeoutMs: 180_000 });
  await until(async () => Number((await ctl.run('squeue -h | wc -l')).stdout) === PENDING_JOBS, {
    what: `${PENDING_JOBS} pending jobs`,
    everyMs: 500,
  });
}
