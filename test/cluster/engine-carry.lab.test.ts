import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LabNode, until } from '../lab/lab.ts';
import { askDaemon } from './ckptd-lab.ts';
import { EngineLab, startBoth } from './engine-lab.ts';

let cluster: EngineLab;
let n1: LabNode;
let n2: LabNode;

beforeAll(async () => {
  cluster = await EngineLab.start({ engine: { scratch: ['/scratch/%j'] } });
  n1 = cluster.lab.node('n1');
  n2 = cluster.lab.node('n2');
  for (const node of [n1, n2]) await node.run('mkdir -m 1777 /scratch');
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

const ROOTFS = ['--ckpt-kind=rootfs'];

test('a job with node-local files counts on exactly with them: two drains, and a crash', async () => {
  const { lab } = cluster;
  // Of one user: each is to get its own files, and none of the other's.
  const ids = [];
  for (let job = 0; job < 2; job++) ids.push(await cluster.submit('local.py', { options: ROOTFS }));
  for (const id of ids) await cluster.counting(id);
  await cluster.moveAway(n1, ids);
  await cluster.moveAway(n2, ids);
  for (const id of ids) {
    await cluster.newCheckpoint(n2, id, await cluster.ready(n2, id));
    await cluster.counts(id, 5);
  }
  await n1.crash();
  try {
    for (const id of ids) await cluster.moved(id, 'n1', 3, 90_000);
    for (const id of ids) {
      const job = await cluster.finish(id, 'FAILED');
      expect(job).toMatchObject({ ExitCode: '4:0', Restarts: '3' });
      const output = await cluster.counted(id);
      expect(output).toEqual({ starts: ['n1'], count: output.count, last: output.count, problems: [] });
    }
  } finally {
    await n1.start();
    await startBoth(n1);
    await lab.waitForNode('n1', 'IDLE');
    await n1.run('mkdir -p -m 1777 /scratch');
  }
});

describe('at a drain', () => {
  let files: number;
  let simple: number;
  let home: LabNode;

  beforeAll(async () => {
    files = await cluster.submit('local.py', { options: ['--ckpt-kind=rootfsonly'] });
    simple = await cluster.submit('local.py');
    home = await cluster.counting(files);
    expect((await cluster.counting(simple)).name).toBe(home.name);
    await cluster.lab.drain(home.name, 'broken fan');
  });
  afterAll(() => cluster.clear());

  test('a job of kind rootfsonly begins again, with its files there', async () => {
    await cluster.moved(files, home.name, 1);
    const job = await cluster.finish(files, 'FAILED');
    expect(job).toMatchObject({ ExitCode: '4:0', Restarts: '1' });
    const output = await cluster.output(files);
    expect(output).toMatch(/^start on n\d\nagain after \d+ with 11 files\ni=\d+\n/);
    expect(output).not.toContain('wrong');
  });

  test('a job of kind simple stays and runs on, and the admin is told of the file', async () => {
    const why = new RegExp(`that only this node has .*/tmp/local-${simple}/kept.*use kind rootfs`);
    await until(
      async () => {
        const lines = (await cluster.log(home, 'ckptd')).split('\n');
        return lines.find((line) => line.includes(`job ${simple} is in danger`) && why.test(line));
      },
      { what: 'ckptd to say that it is in danger', timeoutMs: 60_000, details: () => cluster.told() },
    );
    const asked = await cluster.askCheckpoint(home, simple);
    await until(
      async () => {
        const { text } = await cluster.engine(home, `/v2/checkpoint/status/${asked.text}`);
        return why.test(text.replaceAll('\\"', '"'));
      },
      { what: 'the engine to say which file it is' },
    );
    await cluster.counts(simple);
    expect(await cluster.ready(home, simple)).toEqual([]);
    const { body } = await askDaemon(home, `/v1/history?job=${simple}`);
    expect(JSON.stringify(body)).toContain('in danger');
    expect(await cluster.finish(simple, 'FAILED')).toMatchObject({ ExitCode: '4:0', Restarts: '0' });
    expect((await cluster.counted(simple)).problems).toEqual([]);
  });
});
