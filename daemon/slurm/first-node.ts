import { expandHostlist } from './hostlist.ts';

/**
 * Whether the hook whose environment this is ran on the first node of its job, where the batch script is unless the
 * user chose another with `sbatch --batch`. True where the environment does not say that it is another.
 */
export function onFirstNode(env: Readonly<Record<string, string>>): boolean {
  const { SLURMD_NODENAME: node, SLURM_NODELIST: list, SLURM_JOB_NUM_NODES: count } = env;
  // A list that is too long for a hook is left out of what it sends.
  if (list === undefined) return !/^\d{1,10}$/.test(count ?? '') || Number(count) <= 1;
  const hosts = expandHostlist(list);
  if (node === undefined || !hosts.ok || hosts.hosts.length === 0) return true;
  return hosts.hosts[0] === node || !hosts.hosts.includes(node);
}
