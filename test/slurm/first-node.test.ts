import { expect, test } from 'vitest';
import { onFirstNode } from '../../daemon/slurm/first-node.ts';

const env = (node: string, list: string, count = '3') => ({
  SLURMD_NODENAME: node,
  SLURM_NODELIST: list,
  SLURM_JOB_NUM_NODES: count,
});

test.each([
  ['n1', 'n[1-3]', true],
  ['n2', 'n[1-3]', false],
  ['r1n3', 'r[1,2]n[3-4]', true],
  ['r2n3', 'r[1,2]n[3-4]', false],
  ['n1', 'n1', true],
  // Names that do not fit together say nothing.
  ['rack_1', 'n[1-3]', true],
  ['n1', 'n[1-', true],
  ['n1', '', true],
])('%s is the first of %s: %s', (node, list, first) => {
  expect(onFirstNode(env(node, list))).toBe(first);
});

test('a list that was too long for the hook is one of many nodes', () => {
  expect(onFirstNode({ SLURMD_NODENAME: 'n1', SLURM_JOB_NUM_NODES: '4000' })).toBe(false);
  expect(onFirstNode({ SLURMD_NODENAME: 'n1', SLURM_JOB_NUM_NODES: '1' })).toBe(true);
  expect(onFirstNode({ SLURMD_NODENAME: 'n1', SLURM_JOB_NUM_NODES: 'x' })).toBe(true);
  expect(onFirstNode({})).toBe(true);
});
