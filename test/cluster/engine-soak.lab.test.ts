import { afterAll, beforeAll, expect, test } from 'vitest';
import { EngineLab } from './engine-lab.ts';

const MOVES = 20;
let cluster: EngineLab;

beforeAll(async () => {
  cluster = await EngineLab.start({
    // Slurm's own default: it holds a requeued job for two minutes, far longer than a move is waited for here.
    slurmConf: 'AuthInfo=cred_expire=120\n',
    config: {
      heartbeat: { every: '10s', splay: '0s', min_age: '0s' },
      slurm: { poll_node: '1s', rescan_jobs: '2s' },
    },
  });
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

// Twenty of twenty: a second try would hide the one.
test('a job of many processes is moved twenty times in a row under heartbeats, its output exact, the hold lifted', {
  retry: 0,
  timeout: 600_000,
}, async () => {
  const { lab } = cluster;
  const id = await cluster.running('processes.py');
  for (let move = 1; move <= MOVES; move++) {
    const { NodeList: from = '' } = await lab.job(id);
    // A run between two moves is often too short for its heartbeat: every other has one at least.
    if (move % 2 === 0)
      await cluster.newCheckpoint(lab.node(from), id, await cluster.ready(lab.node(from), id));
    await cluster.moveAway(lab.node(from), [id]);
  }
  const job = await cluster.finish(id, 'FAILED');
  expect(job).toMatchObject({ ExitCode: '6:0', Restarts: `${MOVES}` });
  const output = await cluster.counted(id);
  expect(output).toEqual({ starts: ['n1'], count: output.count, last: output.count, problems: [] });
});
