/*
 * The node's own drain. Each try looks at the node first: a drain that is somebody else's is never written over and
 * never lifted, and what an earlier process did already is seen. Each command that was taken is looked at after.
 * What is seen is no event: the watch of the nodes tells only what differs from what it told last.
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

/** So often slurmctld may say that it took a command that does not show. */
const MOST_TAKEN = 5;

/** Drains the node with this reason, also over an older one of ckptd's; doing so twice is doing it once. */
export function performDrainNode(ports: PerformPorts, p: Performance<DrainNode>): Promise<Outcome> {
  const { node, reason } = p.effect;
  return untilItShows(ports, p, {
    verdict(facts) {
      if (!isDrained(facts.flags)) return null;
      if (facts.reason === reason) return { type: 'done' };
      // A reason of ours that names another deadline is written anew.
      if (readDrainReason(facts.reason) !== null) return null;
      return { type: 'left-alone', message: `node ${node} is drained already: ${quoted(facts)}` };
    },
    // A drain of ours with an older reason has to become one that can be lifted, so there has to be a look.
    recallable: (facts) => facts !== null && !isDrained(facts.flags),
    act: () => ports.slurm.drainNode(node, reason, p.signal),
  });
}

/** Lifts the drain with exactly this reason; one that is gone already is lifted. */
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
  /** What is so already; null: there is something to do. */
  verdict(facts: NodeFacts): Outcome | null;
  /** Whether it may end here; null: without a look at the node. */
  recallable(facts: NodeFacts | null): boolean;
  act(): Promise<Outcome>;
}

/** Looks, acts and looks again, for as long as slurmctld is away. */
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
    // What slurmctld took for the first time shows at once.
    const againAfter =
      result.problem === null && taken === 1 ? 0 : backoff(attempt, ports.random(), 500, 15_000);
    return { againAfter };
  });
}

function refused(message: string): Outcome {
  return { type: 'refused', status: 0, message };
}

/** The first failure and every tenth: slurmctld may be away for hours. */
function report(
  ports: PerformPorts,
  { id, kind, node }: DrainNode | UndrainNode,
  attempt: number,
  message: string,
) {
  if (attempt % 10 !== 0) return;
  ports.log.warn({ effect: id, node, attempt: attempt + 1 }, `${kind} is tried again: ${message}`);
}
