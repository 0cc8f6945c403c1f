/*
 * The node's own drain. Each try looks at the node first: a drain that is somebody else's is never written over and
 * never lifted, and what an earlier process did already is seen. Each command that was taken is looked at after.
 * What is seen is no event: the watch of the nodes tells only what differs from what it told last.
 */
import { backoff } from '../system/async/backoff.ts';
import { readDrainReason } from '../vocabulary/drain-reason.ts';
import type { Effect } from '../vocabulary/effect.ts';
import type { NodeFacts } from '../vocabulary/node.ts';
import type { Outcome } from '../vocabulary/outcome.ts';
import { isDrained } from '../vocabulary/slurm-states.ts';
import type { Performance, PerformPorts } from './ports.ts';
import { waitUnlessRecalled } from './wait-unless-recalled.ts';

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
async function untilItShows(
  ports: PerformPorts,
  p: Performance<DrainNode | UndrainNode>,
  aim: Aim,
): Promise<Outcome> {
  let acted = p.sentBefore !== null;
  let taken = 0;
  for (let attempt = 0; ; attempt++) {
    if (p.recall.aborted && !acted && aim.recallable(null)) return { type: 'recalled' };
    const answer = await ports.slurm.queryNode(p.effect.node, p.signal);
    p.signal.throwIfAborted();
    if (answer.type === 'absent')
      return { type: 'refused', status: 0, message: `Slurm knows no node ${p.effect.node}` };
    let problem: string | null = null;
    if (answer.type === 'unavailable') {
      problem = answer.message;
    } else {
      const { facts } = answer;
      const verdict = aim.verdict(facts);
      if (verdict !== null) return verdict;
      if (p.recall.aborted && aim.recallable(facts)) return { type: 'recalled' };
      p.markSent();
      acted = true;
      const outcome = await aim.act();
      p.signal.throwIfAborted();
      if (outcome.type !== 'done' && outcome.type !== 'unavailable') return outcome;
      if (outcome.type === 'unavailable') problem = outcome.message;
      else if (++taken >= MOST_TAKEN) {
        const message = `Slurm took it ${taken} times, and node ${p.effect.node} does not show it`;
        return { type: 'refused', status: 0, message };
      } else if (taken === 1) continue;
    }
    if (problem !== null) report(ports, p.effect, attempt, problem);
    const pause = backoff(attempt, ports.random(), 500, 15_000);
    await waitUnlessRecalled(ports.clock, pause, p.recall, p.signal);
  }
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
