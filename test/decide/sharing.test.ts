import { expect, test } from 'vitest';
import { decide, EMPTY_STATE } from '../../daemon/decide/decide.ts';
import type { Policy } from '../../daemon/vocabulary/policy.ts';
import { running } from '../perform/ports.ts';

const POLICY: Policy = {
  node: 'n1',
  rules: [
    {
      match: {},
      enabled: true,
      heartbeat: { trigger: { every: 600_000 }, splay: 0, minAge: 0, kind: 'simple' },
    },
  ],
  heartbeatConcurrency: 2,
  restore: {
    onDrain: true,
    onTermination: true,
    skipReasons: [],
    finalCheckpoint: true,
    sourceJob: 'cancel',
    concurrency: 4,
  },
};

test('what Slurm says again changes no record, so that the journal has nothing to write', () => {
  const first = decide(EMPTY_STATE, { type: 'job', at: 5_000, facts: running() }, POLICY);
  const second = decide(first.state, { type: 'job', at: 6_000, facts: running() }, POLICY);
  expect(second.state.jobs).toBe(first.state.jobs);
  expect(second).toMatchObject({ effects: [], notes: [] });
});
