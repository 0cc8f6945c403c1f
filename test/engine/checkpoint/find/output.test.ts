import { expect, test } from 'vitest';
import { outputFile } from '../../../../daemon/engine/checkpoint/find/output.ts';

const names = {
  jobId: 14,
  arrayJobId: 14,
  arrayTask: null,
  name: 'wrap',
  user: 'alice',
  node: 'n1',
  workDir: '/shared/outs',
};
const task = { ...names, jobId: 10, arrayJobId: 10, arrayTask: 12 };

// What slurmstepd 24.11.5 opened, by readlink of the job's descriptors; patterns as squeue prints them.
test.each([
  [names, '/shared/outs/slurm-%j.out', '/shared/outs/slurm-14.out'],
  [names, '/shared/outs/rel-%j', '/shared/outs/rel-14'],
  [names, '/shared/outs/err-%4j-%A-%a', '/shared/outs/err-0014-14-4294967294'],
  [
    names,
    '/shared/outs/%x_%J_%s_%t_%n_%N_%u_%b_%%_%3t_%z',
    '/shared/outs/wrap_14_batch_0_0_n1_alice_4_%_000_%z',
  ],
  [names, '/shared/outs/back\\\\slash-%j', '/shared/outs/back\\slash-%j'],
  [names, '/shared/outs/back\\%j-%j', '/shared/outs/back%j-%j'],
  [task, '/shared/outs/%A-%a-%b-%5a-%J-%12j', '/shared/outs/10-12-2-00012-10-0000000010'],
  [task, '/shared/outs/slurm-%A_%a.out', '/shared/outs/slurm-10_12.out'],
  [names, '/dev/null', null],
  [names, '/shared/outs/%', '/shared/outs/%'],
  [names, '/shared/outs/x%15jx%0jx', '/shared/outs/x0000000014x14x'],
  [names, '/shared/outs/sub/../up-%j', '/shared/outs/sub/../up-14'],
  [{ ...names, name: 'na%jme' }, '/shared/outs/%x.out', '/shared/outs/na%jme.out'],
  [names, '/shared/outs/~/home-%j', '/shared/outs/~/home-14'],
  [names, '/shared/outs/"q"-%j', '/shared/outs/"q"-14'],
])('%# %s', (given, pattern, file) => {
  expect(outputFile(pattern, given)).toBe(file);
});

test('a pattern without a folder lies in the working directory', () => {
  expect(outputFile('out-%j', names)).toBe('/shared/outs/out-14');
});

test('what is no file of the job is none', () => {
  for (const pattern of ['', 'none', 'NONE', '/dev/null', '/dev/\\null'])
    expect(outputFile(pattern, names)).toBe(null);
});
