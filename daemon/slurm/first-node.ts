import { expandHostlist } from './hostlist.ts';

/**
 * True if the hook with this environment ran on the first node of its job. The batch script runs there, unless the
 * user chose another node with `sbatch --batch`. Also true if the environment does not say.
 */
export function onFirstNode(env: Readonly<Record<string, string>>): boolean {
  const { SLURMD_NODENAME: node, SLURM_NODELIST: list, SLURM_JOB_NUM_NODES: count } = env;
  // A hook leaves out a list that is too long.
  if (list === undefined) return !/^\d{1,10}$/.test(count ?? '') || Number(count) <= 1;
  const hosts = expandHostlist(list);
  if (node === undefined || !hosts.ok || hosts.hosts.length === 0) return true;
  return hosts.hosts[0] === node || !hosts.hosts.includes(node);
}
