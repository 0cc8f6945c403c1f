import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { LabNode } from '../lab/lab.ts';
import { EngineLab } from './engine-lab.ts';

/** Says each number into its output, which others have too, and into a file of its own. */
const SAYS = `#!/bin/bash
exec 3>>"/shared/out-$SLURM_JOB_ID"
echo "start on $SLURMD_NODENAME" >&3
i=0
until [ -e "/shared/finish-$SLURM_JOB_ID" ]; do
  i=$((i + 1)); echo "i=$i" >&3; echo "$SLURM_JOB_ID i=$i"
  sleep 0.1
done
echo "last=$i" >&3
`;

/** Jobs of `urgent` take the nodes of those of the others: `main` runs again, `gone` does not. */
const PREEMPT = `PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PartitionName=urgent Nodes=ALL PriorityTier=100
PartitionName=gone Nodes=ALL PriorityTier=1 PreemptMode=CANCEL
`;

let cluster: EngineLab;
beforeAll(async () => {
  cluster = await EngineLab.start({ slurmConf: PREEMPT });
});
afterEach(() => cluster.clear());
afterAll(() => cluster?.[Symbol.asyncDispose]());

test('three jobs that append to one output are moved together, twice: not a line of any is missing or there twice', async () => {
  const options = ['--output=/shared/all.log', '--open-mode=append'];
  const ids: number[] = [];
  for (let job = 0; job < 3; job++) ids.push(await cluster.submit(SAYS, { options }));
  for (const id of ids) expect((await cluster.counting(id)).name).toBe('n1');
  await cluster.moveAway(cluster.lab.node('n1'), ids);
  await cluster.moveAway(cluster.lab.node('n2'), ids);
  const counts = new Map<number, number>();
  for (const id of ids) {
    expect(await cluster.finish(id)).toMatchObject({ Restarts: '2', ExitCode: '0:0', NodeList: 'n1' });
    const { count, ...rest } = await cluster.counted(id);
    expect(rest).toEqual({ starts: ['n1'], last: count, problems: [] });
    counts.set(id, count);
  }
  const lines = (await readFile(join(cluster.lab.shared, 'all.log'), 'utf8')).split('\n');
  for (const [id, count] of counts) {
    const said = lines.filter((line) => line.startsWith(`${id} `));
    expect(said).toEqual(Array.from({ length: count }, (_, at) => `${id} i=${at + 1}`));
  }
});

/** Takes n1 for itself, from whoever has it. */
const urgent = () => {
  const options = ['--partition=urgent', '--nodelist=n1', '--exclusive', '--output=/dev/null', '--no-ckpt'];
  return cluster.submit('#!/bin/bash\nsleep 1000\n', { options });
};

test('a job that is preempted goes on elsewhere from its last heartbeat, with nobody acting', async () => {
  const { lab } = cluster;
  const id = await cluster.running('processes.py');
  await cluster.newCheckpoint(lab.node('n1'), id);
  await urgent();
  await cluster.moved(id, 'n1', 1, 90_000);
  expect(await cluster.finish(id, 'FAILED')).toMatchObject({ Restarts: '1', NodeList: 'n2' });
  const output = await cluster.counted(id);
  expect(output).toEqual({ starts: ['n1'], count: output.count, last: output.count, problems: [] });
});

test('a job whose preemption ended it is brought back by hand', async () => {
  const { lab } = cluster;
  const n1 = lab.node('n1');
  const id = await cluster.running('count.sh', { options: ['--partition=gone'] });
  const actionId = await cluster.checkpoint(n1, id);
  await urgent();
  await lab.waitForJob(id, 'PREEMPTED');
  expect(await cluster.askRestore(lab.node('n2'), actionId)).toEqual({ status: 200, text: actionId });
  await cluster.moved(id, 'n1', 1, 90_000);
  expect(await cluster.finish(id)).toMatchObject({ Restarts: '1', NodeList: 'n2', ExitCode: '0:0' });
  const output = await cluster.counted(id);
  expect(output).toEqual({ starts: ['n1'], count: output.count, last: output.count, problems: [] });
});

test('a checkpoint is listed by every engine, and once deprecated restored by none', async () => {
  const [n1, n2] = cluster.lab.nodes as [LabNode, LabNode];
  const id = await cluster.running('count.sh');
  const actionId = await cluster.checkpoint(n1, id);
  const list = async () => (await cluster.engine(n2, '/v2/slurm/checkpoints')).text;
  expect(await list()).toContain(actionId);
  const path = `/v2/slurm/checkpoints/deprecate/${actionId}`;
  expect(await cluster.engine(n2, path, 'PATCH', { reason: 'of no use' })).toMatchObject({ status: 200 });
  const refused = await cluster.askRestore(n1, actionId);
  expect(refused.status).toBe(404);
  expect(JSON.parse(refused.text).message).toContain('of no use');
  expect(await cluster.finish(id)).toMatchObject({ Restarts: '0', ExitCode: '0:0' });
});
