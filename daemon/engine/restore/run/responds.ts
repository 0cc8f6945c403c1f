import { slurmCommands } from '../../../slurm/commands.ts';
import { isDoubtful, nodeCommand, readNodes } from '../../../slurm/sinfo.ts';
import type { Exec } from '../../../system/ports.ts';
import { UNREACHABLE_NODE_STATES } from '../../../vocabulary/slurm-states.ts';

/** Whether Slurm reaches a node, by a single record; where it does not say, the node may be cut off. */
export type Responds = (node: string) => Promise<boolean>;

export function respondsBy(exec: Exec, bin: string): Responds {
  const slurm = slurmCommands(bin);
  return async (node) => {
    const look = readNodes(await exec.run(nodeCommand(slurm, node)), slurm.mark, [node]);
    const facts = look.type === 'nodes' ? look.nodes.get(node) : undefined;
    if (facts === undefined || isDoubtful(facts)) return false;
    return ![facts.base, ...facts.flags].some((flag) => UNREACHABLE_NODE_STATES.has(flag));
  };
}
