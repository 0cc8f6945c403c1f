import { expect, test } from 'vitest';
import { decide, EMPTY_STATE } from '../../daemon/decide/decide.ts';
import type { DaemonEvent } from '../../daemon/vocabulary/event.ts';
import type { State } from '../../daemon/vocabulary/state.ts';
import { factsOf, heartbeatOf, MINUTE, NODE, policyOf, ruleOf, T0 } from './scene.ts';

const JOBS = 1_000;
/** Of CPU time, so that a busy machine does not matter. Measured: below a millisecond; the rest is for slow ones. */
const MOST_MS = 10;

const rules = Array.from({ length: 20 }, (_, i) =>
  ruleOf({ match: { partition: `p${i}*`, name: `*job${i}*` } }),
);
const policy = policyOf({
  rules: [...rules, ruleOf({ heartbeat: heartbeatOf({ splay: 5 * MINUTE }) })],
  heartbeatConcurrency: 8,
});
const drained: DaemonEvent = {
  type: 'node',
  at: T0,
  facts: { node: NODE, base: 'MIXED', flags: ['DRAIN'], reason: 'bad disk' },
};

function time(state: State, events: readonly DaemonEvent[]): { state: State; perEvent: number } {
  const before = process.cpuUsage();
  for (const event of events) state = decide(state, event, policy).state;
  const { user, system } = process.cpuUsage(before);
  return { state, perEvent: (user + system) / 1000 / events.length };
}

test('a thousand jobs on one node: the price of an event', ({ annotate }) => {
  const words = (at: number): DaemonEvent[] =>
    Array.from({ length: JOBS }, (_, i) => ({
      type: 'job',
      at,
      facts: factsOf(i + 1, { nodes: [NODE, 'n2'] }),
    }));
  const ticks = Array.from(
    { length: JOBS },
    (_, i): DaemonEvent => ({ type: 'tick', at: T0 + (i + 1) * 10_000 }),
  );
  const first = time(EMPTY_STATE, words(T0));
  const second = time(first.state, words(T0 + MINUTE));
  const ticking = time(second.state, ticks);
  const leaving = time(ticking.state, [drained, ...words(T0 + 300 * MINUTE)]);
  const prices = {
    'new job': first.perEvent,
    'known job': second.perEvent,
    tick: ticking.perEvent,
    'job while all leave': leaving.perEvent,
  };
  void annotate(
    Object.entries(prices)
      .map(([what, ms]) => `${what}: ${ms.toFixed(3)} ms`)
      .join(', '),
  );
  expect(leaving.state.jobs.size).toBe(JOBS);
  for (const [what, ms] of Object.entries(prices)) expect(ms, what).toBeLessThan(MOST_MS);
});

test('a job of five thousand nodes', () => {
  const nodes = Array.from({ length: 5_000 }, (_, i) => `n${i}`);
  const events = nodes.slice(0, 500).map(
    (node): DaemonEvent => ({
      type: 'node',
      at: T0,
      facts: { node, base: 'MIXED', flags: [], reason: '' },
    }),
  );
  const { state, perEvent } = time(EMPTY_STATE, [
    { type: 'job', at: T0, facts: factsOf(1, { nodes }) },
    ...events,
  ]);
  expect(state.nodes.size).toBe(500);
  expect(perEvent).toBeLessThan(MOST_MS);
});
