import { expect, test } from 'vitest';
import { slurmConf } from './slurm-conf.ts';

test('nodes and a partition by default', () => {
  const lines = slurmConf({ nodes: 3 }).split('\n');
  expect(lines).toContain('NodeName=n[1-3] CPUs=4 RealMemory=8000 State=UNKNOWN');
  expect(lines.filter((line) => line.startsWith('PartitionName='))).toHaveLength(1);
});

test('what is given replaces what the lab sets, and nodes are added', () => {
  const extra = 'KillWait=30\nslurmdtimeout=60\nNodeName=far[1-9] State=FUTURE';
  const lines = slurmConf({
    nodes: 1,
    nodeConf: 'CPUs=1',
    partitions: ['PartitionName=p Nodes=ALL'],
    slurmConf: extra,
  });
  const text = lines.split('\n');
  expect(text.filter((line) => /^(KillWait|SlurmdTimeout)=/i.test(line))).toEqual([
    'KillWait=30',
    'slurmdtimeout=60',
  ]);
  expect(text.filter((line) => line.startsWith('NodeName='))).toEqual([
    'NodeName=n1 CPUs=1 State=UNKNOWN',
    'NodeName=far[1-9] State=FUTURE',
  ]);
  expect(text.filter((line) => line.startsWith('PartitionName='))).toEqual(['PartitionName=p Nodes=ALL']);
});
