import { expect, test } from 'vitest';
import type { State } from '../../daemon/vocabulary/state.ts';
import fc from '../support/properties.ts';
import { anyEffect, anyState } from './arbitraries.ts';
import { commitOf, EMPTY, memoryLog, open, tempDir } from './support.ts';

/** The next state, with half of what the last one had, by reference, as `decide` shares it. */
function carriedOver(before: State, after: State): State {
  const kept = <K, V>(map: ReadonlyMap<K, V>) => [...map].filter((_, index) => index % 2 === 0);
  return {
    clock: after.clock,
    jobs: new Map([...after.jobs, ...kept(before.jobs)]),
    nodes: new Map([...after.nodes, ...kept(before.nodes)]),
    notices: new Map([...after.notices, ...kept(before.notices)]),
    ownDrain: after.ownDrain,
  };
}

test('any states and effects, one after another, are there exactly as they were after a restart', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(anyState, fc.array(anyEffect, { maxLength: 4 })), { minLength: 1, maxLength: 4 }),
      (steps) => {
        using dir = tempDir();
        const log = memoryLog();
        let state = EMPTY;
        const ids = new Set<string>();
        const wanted = [];
        {
          using journal = open(dir.path, log);
          for (const [next, effects] of steps) {
            const after = carriedOver(state, next);
            const isNew = effects.filter(({ id }) => !ids.has(id) && ids.add(id));
            const { fresh } = journal.commit(
              commitOf({ event: { type: 'started', at: after.clock }, before: state, after, effects }),
            );
            expect(fresh).toEqual(isNew);
            wanted.push(
              ...isNew.map((effect) => ({ effect, createdAt: after.clock, attempts: 0, startedAt: null })),
            );
            const size = ({ jobs, nodes, notices }: State) => jobs.size + nodes.size + notices.size;
            const written =
              size(after) + effects.length + size(state) > 0 || after.ownDrain !== state.ownDrain;
            state = written ? after : state;
          }
        }
        using journal = open(dir.path, log);
        const { state: loaded, outbox } = journal.load();
        expect(outbox).toEqual(wanted);
        expect(loaded?.jobs ?? new Map()).toEqual(state.jobs);
        expect(loaded?.nodes ?? new Map()).toEqual(state.nodes);
        expect(loaded?.notices ?? new Map()).toEqual(state.notices);
        expect(loaded?.ownDrain ?? null).toEqual(state.ownDrain);
        expect(log.lines).toEqual([]);
      },
    ),
    { numRuns: 150 },
  );
});
