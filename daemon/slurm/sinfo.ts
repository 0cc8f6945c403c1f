import type { Command, CommandResult } from '../system/ports.ts';
import type { NodeFacts } from '../vocabulary/node.ts';
import { isDrained } from '../vocabulary/slurm-states.ts';
import { failed, garbage, type SlurmCommands, type Unavailable } from './commands.ts';
import { expandHostlist } from './hostlist.ts';
import { formatOf, type Mark, splitRows } from './rows.ts';

/** States by node name; a name that Slurm does not know is not in the map. */
export type NodesAnswer =
  | { readonly type: 'nodes'; readonly nodes: ReadonlyMap<string, NodeFacts> }
  | Unavailable;

/** Slurm's answer on one node. */
export type NodeAnswer =
  | { readonly type: 'node'; readonly facts: NodeFacts }
  /** Slurm knows no such node. */
  | { readonly type: 'absent' }
  | Unavailable;

const FIELDS = ['NodeList', 'StateComplete', 'Reason'] as const;

/** One node, by single-record RPCs (NODE_INFO_SINGLE and PARTITION_INFO). */
export function nodeCommand(slurm: SlurmCommands, node: string): Command {
  return {
    ...base(slurm),
    kind: 'sinfo-node',
    args: ['--all', '-h', '-n', node, '-O', formatOf(FIELDS, slurm.mark)],
  };
}

/**
 * The whole node table. Any list of names costs slurmctld the same, and one of thousands is too long for a
 * command line.
 */
export function allNodesCommand(slurm: SlurmCommands): Command {
  return { ...base(slurm), kind: 'sinfo-all', args: ['--all', '-h', '-O', formatOf(FIELDS, slurm.mark)] };
}

const base = (slurm: SlurmCommands) => ({ file: slurm.path('sinfo'), timeoutMs: slurm.timeoutMs });

/**
 * Reads sinfo's output for the `wanted` nodes. An unknown name is no error for sinfo (exit 0, with no row or one of
 * another name), so only rows of wanted names count. Nodes in the same state share a row.
 */
export function readNodes(result: CommandResult, mark: Mark, wanted: Iterable<string>): NodesAnswer {
  if (!result.ok) return failed(result);
  const rows = splitRows(result.stdout, mark, FIELDS.length);
  if (!rows) return garbage("sinfo's answer is not made of whole rows");
  const names = new Set(wanted);
  const nodes = new Map<string, NodeFacts>();
  for (const [list = '', complete = '', reason = ''] of rows) {
    const hosts = expandHostlist(list);
    const ours = hosts.ok ? hosts.hosts.filter((host) => names.has(host)) : [];
    if (ours.length === 0) continue;
    const state = readState(complete);
    if (!state) return garbage(`${JSON.stringify(complete.slice(0, 100))} is no state of a node`);
    const why = reason === 'none' || reason === '(null)' ? '' : reason;
    for (const node of ours) nodes.set(node, { node, ...state, reason: why });
  }
  return { type: 'nodes', nodes };
}

/**
 * True if a single record may hide that the node is DOWN. slurmctld updates the counts of allocated CPUs only for a
 * query of the whole table, and sinfo prints MIXED or ALLOCATED for any base state with such CPUs. A node that was set
 * DOWN also has a reason, and no flag that explains it. (22.05, 24.11 and 26.05.)
 */
export function isDoubtful({ base, flags, reason }: NodeFacts): boolean {
  const looksBusy = base === 'MIXED' || base === 'ALLOCATED';
  return looksBusy && reason !== '' && !isDrained(flags);
}

/** `mixed+drain`, in either case (lower in all releases tried), perhaps with one of sinfo's short flags behind. */
function readState(text: string): { base: string; flags: string[] } | null {
  const words = /^([A-Za-z_]+(?:\+[A-Za-z_]+)*)[*~#!%$@^-]*$/.exec(text)?.[1];
  if (!words) return null;
  const [base = '', ...flags] = words.toUpperCase().split('+');
  return { base, flags };
}
