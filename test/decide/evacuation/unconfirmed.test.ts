import { expect, test } from 'vitest';
import { HOUR, MINUTE, NODE, policyOf, Scene, SECOND, T0 } from '../scene.ts';

const DONE = { type: 'done' } as const;
const restored = { type: 'restored', actionId: 'x' } as const;

/** Three jobs on a node that is drained, one place, and the daemon down for an hour after the first restore left. */
function after(
  fields: { policy?: Parameters<typeof policyOf>[0]; node?: string; reason?: string } = {},
): Scene {
  const restore = { sourceJob: 'leave', finalCheckpoint: false, concurrency: 1 } as const;
  const { node = NODE, reason = 'bad disk' } = fields;
  const scene = new Scene(policyOf({ heartbeatConcurrency: 9, restore }));
  for (const job of [1, 2, 3]) scene.job(job, { nodes: [NODE, 'n2'] });
  scene.pass(15 * MINUTE);
  for (const job of [1, 2, 3]) scene.checkpointReady(`c${job}`, job);
  scene.node(['DRAIN'], { node, reason });
  expect([1, 2, 3].map((job) => scene.step(job))).toEqual(['restore', 'queued', 'queued']);
  scene.now += HOUR;
  scene.sent.length = 0;
  scene.restart();
  scene.settle('restore', restored, 1);
  return scene;
}

const asked = (scene: Scene) => scene.asked('restore').map(({ jobId }) => jobId);

test('after a start nothing is restored until Slurm says again that the node goes away', () => {
  const scene = after();
  expect(asked(scene)).toEqual([]);
  scene.drain();
  expect(asked(scene)).toEqual([2]);
});

test('the node was resumed while the daemon was down: its jobs stay', () => {
  const scene = after();
  scene.resume();
  scene.pass(MINUTE);
  expect(asked(scene)).toEqual([]);
  expect([2, 3].map((job) => scene.step(job))).toEqual([null, null]);
});

test('word on another node says nothing of this one', () => {
  const scene = after();
  scene.node([], { node: 'n3' });
  expect(asked(scene)).toEqual([]);
  scene.node([], { node: 'n2' });
  expect(asked(scene)).toEqual([]);
});

test('the same for another node of the job', () => {
  const scene = after({ node: 'n2' });
  scene.resume();
  expect(asked(scene)).toEqual([]);
  scene.drain('n2');
  expect(asked(scene)).toEqual([2]);
});

test('slurmctld is away: after ten seconds what was known holds', () => {
  const scene = after();
  scene.pass(9 * SECOND);
  expect(asked(scene)).toEqual([]);
  scene.pass(SECOND);
  expect(asked(scene)).toEqual([2]);
});

test('a deadline waits for nobody', () => {
  const reason = `ckptd: termination notice ec2/spot, deadline ${new Date(T0 + 2 * HOUR).toISOString().slice(0, 19)}Z`;
  expect(asked(after({ node: 'n2', reason }))).toEqual([2]);
});

test('nor does a notice that stands, and has no deadline', () => {
  const scene = after();
  scene.terminate(null);
  expect(asked(scene)).toEqual([2]);
});

test('a reload of the configuration doubts nothing', () => {
  const scene = after();
  scene.drain();
  scene.started();
  scene.settle('restore', restored, 2);
  expect(asked(scene)).toEqual([2, 3]);
});

test('a final checkpoint that becomes ready meanwhile is kept for the restore', () => {
  const scene = new Scene(policyOf({ restore: { sourceJob: 'leave' } }));
  scene.job(1);
  scene.drain();
  scene.settle('checkpoint', { type: 'accepted', actionId: 'a' });
  scene.restart();
  scene.settle('await-ready', { type: 'ready', readyAt: scene.now });
  expect(asked(scene)).toEqual([]);
  scene.drain();
  expect(scene.only('restore')).toMatchObject({ actionId: 'a' });
});

test('what a person asked for waits for nobody', () => {
  const scene = new Scene(policyOf({ restore: { finalCheckpoint: false } }));
  scene.job(1);
  scene.pass(15 * MINUTE);
  scene.checkpointReady('a', 1);
  scene.resume();
  scene.restart();
  scene.askRestore(1);
  scene.settle('guard', DONE);
  expect(asked(scene)).toEqual([1]);
});
