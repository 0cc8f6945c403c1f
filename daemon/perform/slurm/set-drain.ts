import { type NodeAnswer, nodeCommand, readNodes } from '../../slurm/sinfo.ts';
import type { Outcome } from '../../vocabulary/outcome.ts';
import { type Acting, actOutcome } from './acting.ts';

/** Asks Slurm for one node, by single-record RPCs. */
export async function queryNode(acting: Acting, node: string, signal?: AbortSignal): Promise<NodeAnswer> {
  const { exec, slurm } = acting;
  const answer = readNodes(await exec.run(nodeCommand(slurm, node), signal), slurm.mark, [node]);
  if (answer.type === 'unavailable') return answer;
  const facts = answer.nodes.get(node);
  return facts === undefined ? { type: 'absent' } : { type: 'node', facts };
}

/**
 * Sets the node's drain with this reason, or removes it (null), whoever set it: the caller has checked. `undrain`
 * removes only the drain, while `resume` would also bring back a node that is DOWN. slurmctld refuses both in some
 * states of a node; the state may pass, so such a refusal is `unavailable`.
 */
export async function setDrain(
  acting: Acting,
  node: string,
  reason: string | null,
  signal?: AbortSignal,
): Promise<Outcome> {
  const state = reason === null ? ['state=undrain'] : ['state=drain', `reason=${reason}`];
  const result = await acting.exec.run(
    {
      // A kind of its own, so that it does not wait behind the guards of all jobs.
      kind: 'scontrol-drain',
      file: acting.slurm.path('scontrol'),
      args: ['update', `nodename=${node}`, ...state],
      timeoutMs: acting.slurm.timeoutMs,
    },
    signal,
  );
  const outcome = actOutcome(result);
  return outcome === 'over' ? { type: 'unavailable', message: 'slurmctld answered about a job' } : outcome;
}
