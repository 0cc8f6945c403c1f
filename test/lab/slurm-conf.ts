import { readFileSync } from 'node:fs';

export interface SlurmConfOptions {
  /** Compute nodes n1..nN. */
  nodes: number;
  /** What follows `NodeName=n[1-N]`; default `CPUs=4 RealMemory=8000`. */
  nodeConf?: string | undefined;
  /** Lines that replace the default partition, `main` with all nodes. */
  partitions?: string[] | undefined;
  /** Lines that are added verbatim, of any kind; a key that is set here is not set by the lab. */
  slurmConf?: string | undefined;
}

/** The range of compute nodes in Slurm's notation, e.g. `n[1-4]`. */
export const nodeRange = (nodes: number): string => (nodes === 1 ? 'n1' : `n[1-${nodes}]`);

/**
 * slurm.conf of a cluster. Nodes may claim more CPUs than this machine has (`config_overrides`). A requeued job is
 * held for seconds only (`cred_expire`), appends to its output, and a node that comes back is used again at once.
 */
export function slurmConf(options: SlurmConfOptions): string {
  const range = nodeRange(options.nodes);
  const partition = `PartitionName=main Nodes=${range} Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO`;
  const extra = options.slurmConf ?? '';
  const set = new Set(extra.split('\n').map(keyOf));
  return [
    ...settings.split('\n').filter((line) => !set.has(keyOf(line))),
    `NodeName=${range} ${options.nodeConf ?? 'CPUs=4 RealMemory=8000'} State=UNKNOWN`,
    ...(options.partitions ?? [partition]),
    extra,
    '',
  ].join('\n');
}

const keyOf = (line: string): string => line.split('=')[0]!.trim().toLowerCase();

const settings = `ClusterName=lab
SlurmctldHost=ctl
AuthType=auth/munge
AuthInfo=cred_expire=5
CredType=cred/munge
SlurmUser=slurm
StateSaveLocation=/var/lib/slurm/slurmctld
SlurmdSpoolDir=/var/lib/slurm/slurmd
SlurmctldPidFile=/run/slurmctld/slurmctld.pid
SlurmdPidFile=/run/slurm/slurmd.pid
SlurmctldDebug=verbose
SlurmdDebug=verbose
SlurmdParameters=config_overrides
ProctrackType=proctrack/cgroup
TaskPlugin=task/cgroup
JobAcctGatherType=jobacct_gather/cgroup
JobAcctGatherFrequency=5
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=1000
ReturnToService=2
SlurmdTimeout=10
SlurmctldTimeout=30
InactiveLimit=0
KillWait=5
MinJobAge=3600
JobRequeue=1
JobFileAppend=1
MailProg=/bin/true
MpiDefault=none
AccountingStorageType=accounting_storage/none
SchedulerParameters=sched_interval=1,requeue_delay=1
PlugStackConfig=/etc/slurm/plugstack.conf
PropagateResourceLimits=NONE`;

/** cgroup.conf: the version of cgroups is this machine's, and constrains nothing, since CPUs are made up. */
export function cgroupConf(): string {
  const v1 = readFileSync('/proc/self/mounts', 'utf8').includes(' cgroup ');
  return `CgroupPlugin=cgroup/${v1 ? 'v1' : 'v2'}\nConstrainCores=no\nConstrainRAMSpace=no\n`;
}
