import type { SlurmCommands } from '../../slurm/commands.ts';
import { allNodesCommand, isDoubtful, type NodesAnswer, nodeCommand, readNodes } from '../../slurm/sinfo.ts';
import { type Background, inBackground } from '../../system/async/background.ts';
import { doubled } from '../../system/async/backoff.ts';
import { sleepUnlessWoken } from '../../system/async/sleep.ts';
import { firstBeat, nextBeat } from '../../system/node-phase.ts';
import type { Clock, Exec, Log } from '../../system/ports.ts';
import type { DaemonEvent } from '../../vocabulary/event.ts';
import type { EpochMs, Millis } from '../../vocabulary/job.ts';
import type { NodeFacts } from '../../vocabulary/node.ts';
import { isDrained } from '../../vocabulary/slurm-states.ts';
import { Health, type HealthCounters } from './health.ts';

export interface NodeWatchOptions {
  readonly exec: Exec;
  readonly clock: Clock;
  readonly log: Log;
  readonly emit: (event: DaemonEvent) => void;
  readonly signal: AbortSignal;
  readonly slurm: SlurmCommands;
  /** This node. */
  readonly node: string;
  readonly pollMs: Millis;
  /** The other nodes to watch: those of the jobs that this daemon owns. */
  readonly nodes: () => Iterable<string>;
  /** Aborted once something waits for the node's state. Until then the first query waits for the node's own time. */
  readonly urgent: AbortSignal;
}

export interface NodeWatch extends Background {
  counters(): HealthCounters;
}

/** Up to this many other nodes are queried singly, each at a thousandth of the cost of the whole table. */
const SINGLY = 16;
/** The whole table is queried at most this often; in between, only its nodes with a known drain. */
const TABLE_EVERY: Millis = 60_000;
const LONGEST_PAUSE: Millis = 120_000;
/** A slurmctld that takes longer for a single record is overloaded: it gets the same pauses as one that is away. */
const SLOW: Millis = 2_000;

/**
 * Emits `node` for this node and the others: once when it is first seen, then at every change. While Slurm does not
 * answer, the last known state stays and the pause doubles. A node that Slurm does not know is no event.
 */
export function watchNodes(options: NodeWatchOptions): NodeWatch {
  const { exec, clock, log, emit, slurm, node, pollMs } = options;
  const health = new Health('nodes', clock, log);
  const said = new Map<string, NodeFacts>();
  const unknown = new Set<string>();
  /** The reasons of nodes that looked busy, and that the table showed not to be down. */
  const harmless = new Map<string, string>();
  let tableAt: EpochMs = 0;
  let slowInRow = 0;

  const isNews = (facts: NodeFacts) => {
    const before = said.get(facts.node);
    return before === undefined || textOf(before) !== textOf(facts);
  };
  /** A drain has to be followed closely: it may get a deadline, or be lifted. */
  const isInDrain = (name: string) => isDrained(said.get(name)?.flags ?? []);

  function tell(facts: NodeFacts): void {
    if (!isNews(facts)) return;
    said.set(facts.node, facts);
    emit({ type: 'node', at: clock.now(), facts });
  }

  /** False if Slurm did not answer: the rest of this round is skipped. */
  function take(look: NodesAnswer, wanted: readonly string[]): boolean {
    if (look.type === 'unavailable') {
      health.failed(look);
      return false;
    }
    for (const name of wanted) {
      const facts = look.nodes.get(name);
      if (facts) tell(facts);
      if (!facts && !unknown.has(name)) log.error({ node: name }, 'Slurm knows no node of this name');
      if (facts) unknown.delete(name);
      else unknown.add(name);
    }
    return true;
  }

  async function ask(name: string, signal: AbortSignal): Promise<boolean> {
    const startedAt = clock.now();
    const result = await exec.run(nodeCommand(slurm, name), signal);
    signal.throwIfAborted();
    slowInRow = clock.now() - startedAt > SLOW ? slowInRow + 1 : 0;
    const look = readNodes(result, slurm.mark, [name]);
    const facts = look.type === 'nodes' ? look.nodes.get(name) : undefined;
    if (facts && facts.reason !== harmless.get(name)) harmless.delete(name);
    const known = harmless.has(name) && !facts?.flags.includes('NOT_RESPONDING');
    const inDoubt = facts && isDoubtful(facts) && isNews(facts) && !known;
    return inDoubt ? askTable([name], signal) : take(look, [name]);
  }

  async function askTable(names: readonly string[], signal: AbortSignal): Promise<boolean> {
    const result = await exec.run(allNodesCommand(slurm), signal);
    signal.throwIfAborted();
    const look = readNodes(result, slurm.mark, names);
    // 24.11 keeps a reason after `resume`: without this, each job on the node would cost a query of the table.
    if (look.type === 'nodes')
      for (const facts of look.nodes.values()) if (isDoubtful(facts)) harmless.set(facts.node, facts.reason);
    return take(look, names);
  }

  async function round(signal: AbortSignal): Promise<void> {
    const others = [...new Set(options.nodes())].filter((name) => name !== node);
    const wanted = new Set([node, ...others]);
    for (const name of [...said.keys(), ...unknown]) {
      if (wanted.has(name)) continue;
      said.delete(name);
      unknown.delete(name);
      harmless.delete(name);
    }
    if (!(await ask(node, signal))) return;
    const singly = others.length > SINGLY ? others.filter(isInDrain).slice(0, SINGLY) : others;
    if (others.length > SINGLY && clock.now() >= tableAt) {
      tableAt = clock.now() + Math.max(TABLE_EVERY, 4 * pollMs);
      if (!(await askTable(others, signal))) return;
    } else {
      for (const name of singly) if (!(await ask(name, signal))) return;
    }
    health.answered();
  }

  const background = inBackground(options.signal, async (signal) => {
    const first = firstBeat(node, pollMs, clock.now()) - clock.now();
    await sleepUnlessWoken(clock, first, options.urgent, signal);
    for (;;) {
      signal.throwIfAborted();
      await round(signal);
      const trouble = Math.max(health.inRow, slowInRow);
      const period = doubled(trouble, pollMs, Math.max(pollMs, LONGEST_PAUSE));
      await clock.sleep(nextBeat(node, period, clock.now()) - clock.now(), signal);
    }
  });
  return { ...background, counters: () => health.counters() };
}

const textOf = ({ base, flags, reason }: NodeFacts): string =>
  JSON.stringify([base, [...flags].sort(), reason]);
