import { failed, type SlurmCommands } from '../../slurm/commands.ts';
import { readId, readText } from '../../slurm/fields.ts';
import { formatOf, splitRows } from '../../slurm/rows.ts';
import { nodeCommand, readNodes } from '../../slurm/sinfo.ts';
import { jobCommand } from '../../slurm/squeue.ts';
import type { Exec } from '../../system/ports.ts';
import type { JobId } from '../../vocabulary/job.ts';
import { CLOSED_NODE_STATES } from '../../vocabulary/slurm-states.ts';

/** Where its owner wants a job not to run, and where to: hostlists as Slurm prints them, empty for none. */
export interface Placement {
  readonly excluded: string;
  readonly required: string;
}

interface Asking {
  readonly exec: Exec;
  readonly slurm: SlurmCommands;
}

const FIELDS = ['JobID', 'ExcNodes', 'ReqNodes'] as const;
/** As `scontrol update` takes it. */
const HOSTLIST = /^[A-Za-z0-9._,[\]-]*$/;

/** Null where Slurm cannot be asked, or has no such job. */
export async function placementOf({ exec, slurm }: Asking, jobId: JobId): Promise<Placement | null> {
  const command = {
    ...jobCommand(slurm, jobId),
    kind: 'squeue-placement',
    env: { SQUEUE_FORMAT2: formatOf(FIELDS, slurm.mark) },
  };
  const result = await exec.run(command);
  const rows = result.ok ? splitRows(result.stdout, slurm.mark, FIELDS.length) : null;
  const [, excluded, required] = rows?.find(([id]) => readId(id!) === jobId) ?? [];
  if (excluded === undefined || required === undefined) return null;
  const lists = { excluded: readText(excluded), required: readText(required) };
  return HOSTLIST.test(lists.excluded) && HOSTLIST.test(lists.required) ? lists : null;
}

/** Whether Slurm could give this node the job again; a message where it cannot be asked. */
export async function takesJobs(
  { exec, slurm }: Asking,
  node: string,
): Promise<{ readonly open: boolean } | { readonly problem: string }> {
  const result = await exec.run(nodeCommand(slurm, node));
  if (!result.ok) return { problem: failed(result).message };
  const look = readNodes(result, slurm.mark, [node]);
  if (look.type !== 'nodes') return { problem: look.message };
  const facts = look.nodes.get(node);
  return {
    open: facts === undefined || ![facts.base, ...facts.flags].some((flag) => CLOSED_NODE_STATES.has(flag)),
  };
}
