import { expect, test } from 'vitest';
import {
  type SlurmWord,
  type StoreWord,
  slurmWord,
  storeWord,
  verdictOf,
} from '../../../daemon/engine/fence/words.ts';
import type { JobFacts } from '../../../daemon/vocabulary/job.ts';

const facts = (
  state: string,
  batchHost: string | null,
  nodes = batchHost === null ? [] : [batchHost],
): JobFacts => ({
  ...{
    jobId: 7,
    restarts: 0,
    uid: 1500,
    user: 'ann',
    state,
    nodes,
    batchHost,
    partition: 'main',
    account: '',
  },
  ...{ qos: '', name: 'train', cpus: 1, startAt: null, submitAt: 1, requeue: true, hetJobId: null },
});

test.each<[JobFacts | 'absent' | { unavailable: string }, SlurmWord['type']]>([
  [facts('RUNNING', 'n1'), 'ours'],
  [facts('SUSPENDED', 'n1'), 'ours'],
  [facts('CONFIGURING', 'n1'), 'ours'],
  // A name with its domain is the same node.
  [facts('RUNNING', 'n1.cluster.example'), 'ours'],
  // Slurm does not say where.
  [facts('RUNNING', null), 'ours'],
  [facts('RUNNING', 'n2', ['n1', 'n2']), 'ours'],
  [facts('RUNNING', 'n2'), 'superseded'],
  [facts('SUSPENDED', 'n2'), 'superseded'],
  [facts('CONFIGURING', 'n2'), 'superseded'],
  [facts('PENDING', null), 'superseded'],
  [facts('REQUEUE_HOLD', null), 'superseded'],
  [facts('SPECIAL_EXIT', null), 'superseded'],
  [facts('COMPLETING', 'n2'), 'over'],
  [facts('NODE_FAIL', 'n1'), 'over'],
  [facts('CANCELLED', 'n2'), 'over'],
  [facts('COMPLETED', 'n2'), 'over'],
  ['absent', 'over'],
  [{ unavailable: 'it hangs' }, 'away'],
])('%j is, on n1, %s', (seen, type) => {
  expect(slurmWord(seen, 'n1').type).toBe(type);
});

const STARTED = 1_800_000_000_000;
test.each([
  ['no record', null, { type: 'none', recorded: false }],
  ['its own', { node: 'n1', startedAt: STARTED + 60_000, restarts: 1 }, { type: 'none', recorded: true }],
  ['an older one', { node: 'n2', startedAt: STARTED - 1, restarts: 1 }, { type: 'none', recorded: true }],
  [
    'one within what clocks differ',
    { node: 'n2', startedAt: STARTED + 10_000, restarts: 1 },
    { type: 'none', recorded: true },
  ],
  ['a newer one elsewhere', { node: 'n2', startedAt: STARTED + 10_001, restarts: 1 }, { type: 'newer' }],
] as const)('the store has %s', (_, record, word) => {
  expect(storeWord(record, { startedAt: STARTED }, 'n1')).toMatchObject(word);
});

const slurm: Record<string, SlurmWord> = {
  ours: { type: 'ours' },
  superseded: { type: 'superseded', why: 'w' },
  over: { type: 'over', why: 'w' },
  away: { type: 'away', why: 'w' },
};
const store: Record<string, StoreWord> = {
  newer: { type: 'newer', why: 'w' },
  none: { type: 'none', recorded: true },
  away: { type: 'away', why: 'w' },
};

test.each([
  // Whatever the store has, and however long it is.
  ['ours', 'newer', 9, 'goes-on'],
  ['ours', 'away', 9, 'goes-on'],
  ['over', 'newer', 9, 'goes-on'],
  ['over', 'away', 9, 'goes-on'],
  ['superseded', 'none', 0, 'superseded'],
  ['superseded', 'away', 0, 'superseded'],
  ['away', 'newer', 0, 'superseded'],
  // slurmctld is down, and that is all.
  ['away', 'none', 9, 'goes-on'],
  ['away', 'away', 0.9, 'unsure'],
  ['away', 'away', 1, 'unsure'],
  ['away', 'away', 1.01, 'isolated'],
] as const)('Slurm: %s, the store: %s, unheard for %s times SlurmdTimeout: %s', (a, b, times, verdict) => {
  const silence = { age: times * 300_000, slurmdTimeoutMs: 300_000 };
  expect(verdictOf(slurm[a]!, store[b]!, silence).type).toBe(verdict);
});
