/*
 * The node's own drain. Each attempt queries the node first, so that it never overwrites or lifts somebody else's
 * drain, and sees what an earlier process has done. After each accepted command it queries again. The answers are no
 * events: the node watch reports only changes of what it reported last.
 */
import { backoff } from '../system/async/backoff.ts';
import { retry } from '../system/async/retry.ts';
import { readDrainReason } from '../vocabulary/drain-reason.ts';
import type { Effect } from '../vocabulary/effect.ts';
import type { NodeFacts } from '../vocabulary/node.ts';
import type { Outcome } from '../vocabulary/outcome.ts';
import { isDrained } from '../vocabulary/slurm-states.ts';
import type { Performance, PerformPorts } from './ports.ts';

type DrainNode = Extract<Effect, { kind: 'drain-node' }>;
type UndrainNode = Extract<Effect, { kind: 'undrain-node' }>;

/** How often slurmctld may accept a command that has no effect. */
const MOST_TAKEN = 5;

/** Drains the node with this reason, also in place of an older one of ckptd's. Idempotent. */
export function performDrainNode(ports: PerformPorts, p: Performance<DrainNode>): Promise<Outcome> {
  const { node, reason } = p.effect;
  return untilItShows(ports, p, {
    verdict(facts) {
      if (!isDrained(facts.flags)) return null;
      if (facts.reason === reason) return { type: 'done' };
      // A reason of ours with another deadline is replaced.
      if (readDrainReason(facts.reason) !== null) return null;
      return { type: 'left-alone', message: `node ${node} is drained already: ${quoted(facts)}` };
    },
    // A drain of ours with an older reason has to be replaced by one that can be lifted, so query the node first.
    recallable: (facts) => facts !== null && !isDrained(facts.flags),
    act: () => ports.slurm.drainNode(node, reason, p.signal),
  });
}

/** Lifts the drain with exactly this reason. One that is gone already counts as lifted. */
export function performUndrainNode(ports: PerformPorts, p: Performance<UndrainNode>): Promise<Outcome> {
  const { node, reason } = p.effect;
  return untilItShows(ports, p, {
    verdict(facts) {
      if (!isDrained(facts.flags)) return { type: 'done' };
      if (facts.reason === reason) return null;
      return { type: 'left-alone', message: `the drain of node ${node} is another by now: ${quoted(facts)}` };
    },
    recallable: () => true,
    act: () => ports.slurm.undrainNode(node, p.signal),
  });
}

function quoted({ reason }: NodeFacts): string {
  return JSON.stringify(reason.slice(0, 200));
}

interface Aim {
  /** The outcome if there is nothing to do, else null. */
  verdict(facts: NodeFacts): Outcome | null;
  /** True if a recall may end it in this state; null: before the node was queried. */
  recallable(facts: NodeFacts | null): boolean;
  act(): Promise<Outcome>;
}

/** Queries, acts and queries again, until the result shows or slurmctld refuses. */
function untilItShows(
  ports: PerformPorts,
  p: Performance<DrainNode | UndrainNode>,
  aim: Aim,
): Promise<Outcome> {
  const { recall, signal } = p;
  const { node } = p.effect;
  let acted = p.sentBefore !== null;
  let taken = 0;

  async function tryOnce(): Promise<{ done: Outcome } | { problem: string | null }> {
    if (recall.aborted && !acted && aim.recallable(null)) return { done: { type: 'recalled' } };
    const answer = await ports.slurm.queryNode(node, signal);
    signal.throwIfAborted();
    if (answer.type === 'absent') return { done: refused(`Slurm knows no node ${node}`) };
    if (answer.type === 'unavailable') return { problem: answer.message };
    const verdict = aim.verdict(answer.facts);
    if (verdict !== null) return { done: verdict };
    if (recall.aborted && aim.recallable(answer.facts)) return { done: { type: 'recalled' } };
    p.markSent();
    acted = true;
    const outcome = await aim.act();
    signal.throwIfAborted();
    if (outcome.type === 'unavailable') return { problem: outcome.message };
    if (outcome.type !== 'done') return { done: outcome };
    if (++taken < MOST_TAKEN) return { problem: null };
    return { done: refused(`Slurm took it ${taken} times, and node ${node} does not show it`) };
  }

  return retry<Outcome>({ clock: ports.clock, signal, wake: recall }, async (attempt) => {
    const result = await tryOnce();
    if ('done' in result) return result;
    if (result.problem !== null) report(ports, p.effect, attempt, result.problem);
    // The first accepted command shows at once.
    const againAfter =
      result.problem === null && taken === 1 ? 0 : backoff(attempt, ports.random(), 500, 15_000);
    return { againAfter };
  });
}

function refused(message: string): Outcome {
  return { type: 'refused', status: 0, message };
}

/** Logs the first failure and every tenth: slurmctld may be away for hours. */
function report(
  ports: PerformPorts,
  { id, kind, node }: DrainNode | UndrainNode,
  attempt: number,
  message: string,
) {
  if (attempt % 10 !== 0) return;
  ports.log.warn({ effect: id, node, attempt: attempt + 1 }, `${kind} failed: ${message}; retrying`);
}
