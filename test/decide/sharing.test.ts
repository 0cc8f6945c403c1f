import { expect, test } from 'vitest';
import { decide, EMPTY_STATE } from '../../daemon/decide/decide.ts';
import { running } from '../perform/ports.ts';
import { policyOf } from './scene.ts';

const POLICY = policyOf();

test('what Slurm says again changes no record, so that the journal has nothing to write', () => {
  const first = decide(EMPTY_STATE, { type: 'job', at: 5_000, facts: running() }, POLICY);
  const second = decide(first.state, { type: 'job', at: 6_000, facts: running() }, POLICY);
  expect(second.state.jobs).toBe(first.state.jobs);
  expect(second).toMatchObject({ effects: [], notes: [] });
});
