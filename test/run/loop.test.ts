import { describe, expect, test } from 'vitest';
import { EMPTY_STATE } from '../../daemon/decide/decide.ts';
import { takenOver } from '../../daemon/decide/evacuation/unconfirmed.ts';
import type { Commit } from '../../daemon/journal/entries.ts';
import type { Journal } from '../../daemon/journal/journal.ts';
import { createLoop } from '../../daemon/run/loop.ts';
import type { Effect } from '../../daemon/vocabulary/effect.ts';
import type { NodeFacts } from '../../daemon/vocabulary/node.ts';
import type { State } from '../../daemon/vocabulary/state.ts';
import { policyOf, sceneWithReady } from '../decide/scene.ts';
import { running } from '../perform/ports.ts';

const POLICY = policyOf({ restore: { sourceJob: 'leave' } });
const DRAINED: NodeFacts = { node: 'n1', base: 'MIXED', flags: ['DRAIN'], reason: 'fan' };

/** A loop over a journal of which only `commit` is scripted, with everything that comes out of it. */
function loopOver(commit: (commit: Commit) => { fresh: Effect[] }, state: State = EMPTY_STATE) {
  const order: string[] = [];
  const taken: { effect: Effect; sentBefore: number | null }[] = [];
  const alarms: string[] = [];
  const woken: (number | null)[] = [];
  const recalled: string[] = [];
  const journal = {
    commit(what: Commit) {
      order.push('commit');
      return commit(what);
    },
  } as Journal;
  const loop = createLoop(state, POLICY, {
    journal,
    outbox: {
      take(effect, sentBefore) {
        order.push('take');
        taken.push({ effect, sentBefore });
      },
      recall: (id) => recalled.push(id),
      underWay: () => [],
      drained: async () => {},
    },
    log: { debug() {}, info() {}, warn() {}, error() {}, fatal: (_, message) => alarms.push(message) },
    onNote() {},
    onReply() {},
    wake: (at) => woken.push(at),
  });
  return { loop, order, taken, alarms, woken, recalled };
}

const durable = ({ effects }: Commit) => ({ fresh: [...effects] });
const full = () => {
  throw new Error('disk full');
};

test('an effect is in the journal before it is performed', () => {
  const { loop, order, taken } = loopOver(durable);
  loop.handle({ type: 'job', at: 5_000, facts: running() });
  loop.handle({ type: 'node', at: 6_000, facts: DRAINED });
  expect(taken).toMatchObject([
    { effect: { kind: 'checkpoint', reason: 'manual', jobId: 7 }, sentBefore: null },
  ]);
  expect(order).toEqual(['commit', 'commit', 'take']);
});

test('an effect that the journal has seen before is not performed again', () => {
  const { loop, taken } = loopOver(() => ({ fresh: [] }));
  loop.handle({ type: 'job', at: 5_000, facts: running() });
  loop.handle({ type: 'node', at: 6_000, facts: DRAINED });
  expect(taken).toEqual([]);
});

test('with a full disk jobs are still saved, and the failure is an alarm', () => {
  const { loop, taken, alarms } = loopOver(full);
  loop.handle({ type: 'job', at: 5_000, facts: running() });
  loop.handle({ type: 'node', at: 6_000, facts: DRAINED });
  expect(taken).toMatchObject([{ effect: { kind: 'checkpoint', jobId: 7 } }]);
  expect(loop.journalFailing).toBe(true);
  expect(alarms).toHaveLength(1);
});

test('the alarm is over with the first write that works', () => {
  let broken = true;
  const { loop } = loopOver((commit) => (broken ? full() : durable(commit)));
  loop.handle({ type: 'job', at: 5_000, facts: running() });
  expect(loop.journalFailing).toBe(true);
  broken = false;
  loop.handle({ type: 'node', at: 6_000, facts: { ...DRAINED, flags: [] } });
  expect(loop.journalFailing).toBe(false);
});

test('the loop has itself woken for what is due next', () => {
  const { loop, woken } = loopOver(durable);
  loop.handle({ type: 'job', at: 5_000, facts: running({ startAt: 1_000 }) });
  expect(woken).toEqual([901_000]);
});

describe('a restore that an earlier process left', () => {
  const drained = (() => {
    const scene = sceneWithReady(policyOf({ restore: { sourceJob: 'leave', finalCheckpoint: false } }));
    scene.drain();
    return scene;
  })();
  const effect = drained.only('restore');
  const at = drained.now + 3_600_000;
  const takeUp = () => {
    const made = loopOver(durable, takenOver(drained.state, at));
    made.loop.resume([{ effect, createdAt: 1, attempts: 1, startedAt: 2 }]);
    made.loop.handle({ type: 'started', at });
    return made;
  };

  test('waits until Slurm says again that the node goes away', () => {
    const { loop, taken } = takeUp();
    expect(taken).toEqual([]);
    loop.handle({ type: 'node', at: at + 1, facts: DRAINED });
    expect(taken).toEqual([{ effect, sentBefore: 2 }]);
    loop.handle({ type: 'node', at: at + 2, facts: DRAINED });
    expect(taken).toHaveLength(1);
  });

  test('waits ten seconds at most', () => {
    const { loop, taken, woken } = takeUp();
    expect(woken).toEqual([at + 10_000]);
    loop.handle({ type: 'tick', at: at + 10_000 });
    expect(taken).toEqual([{ effect, sentBefore: 2 }]);
  });

  test('is taken up and recalled where the node is back: it may have left before', () => {
    const { loop, taken, recalled } = takeUp();
    loop.handle({ type: 'node', at: at + 1, facts: { ...DRAINED, flags: [] } });
    expect(taken).toEqual([{ effect, sentBefore: 2 }]);
    expect(recalled).toEqual([effect.id]);
  });
});

test('what an earlier process left is taken up, with when it may have been sent', () => {
  const { loop, taken } = loopOver(durable);
  const effect: Effect = { kind: 'end-source', id: 'end-source:7.0:1', jobId: 7, restarts: 0 };
  loop.resume([{ effect, createdAt: 1, attempts: 1, startedAt: 2 }]);
  expect(taken).toEqual([{ effect, sentBefore: 2 }]);
});
