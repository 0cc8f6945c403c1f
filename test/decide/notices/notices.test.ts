import { describe, expect, test } from 'vitest';
import { decide } from '../../../daemon/decide/decide.ts';
import { drainReason } from '../../../daemon/vocabulary/drain-reason.ts';
import type { Policy } from '../../../daemon/vocabulary/policy.ts';
import {
  heartbeatOf,
  MINUTE,
  NODE,
  noticeOf,
  policyOf,
  ruleOf,
  Scene,
  SECOND,
  sceneWithReady,
  T0,
} from '../scene.ts';

const DONE = { type: 'done' } as const;
const FOREIGN = { type: 'left-alone', message: 'node n1 is drained already: "disk"' } as const;
const RECALLED = { type: 'recalled' } as const;
const restored = { type: 'restored', actionId: 'new' } as const;

/** Jobs with ready checkpoints `old<id>` that took 10 s each, and no open effect. */
function readyScene(jobs: Record<number, { cpus?: number; took?: number }>, policy: Policy = policyOf()) {
  const scene = new Scene({ ...policy, heartbeatConcurrency: 100 });
  const ids = Object.keys(jobs).map(Number);
  for (const jobId of ids) scene.job(jobId, { cpus: jobs[jobId]?.cpus ?? 4 });
  scene.pass(15 * MINUTE);
  for (const jobId of ids) scene.settle('checkpoint', { type: 'accepted', actionId: `old${jobId}` }, jobId);
  const asked = scene.now;
  for (const jobId of ids) {
    const readyAt = asked + (jobs[jobId]?.took ?? 10) * SECOND;
    scene.settle('await-ready', { type: 'ready', readyAt }, jobId);
  }
  scene.now += MINUTE;
  scene.policy = policy;
  scene.sent.length = 0;
  scene.notes.length = 0;
  return scene;
}

test('an event scheduled for next month: one checkpoint now, and the node goes on', () => {
  const scene = sceneWithReady();
  const far = { source: 'ec2/scheduled', deadline: scene.now + 29 * 24 * 60 * MINUTE };
  scene.notices('ec2/scheduled', noticeOf({ ...far, id: '1', kind: 'rebalance' }));
  expect(scene.kinds()).toEqual(['checkpoint']);
  expect(scene.state.ownDrain).toBeNull();
  scene.checkpointReady('event', 1);
  scene.notices('ec2/scheduled', noticeOf({ ...far, id: '2', kind: 'termination' }));
  expect(scene.opened('drain-node')).toHaveLength(1);
  expect([...scene.state.notices.keys()]).toEqual(['2']);
});

describe('a termination notice', () => {
  test('the node is drained with a reason that names the source and the deadline, and plans start at once', () => {
    const scene = sceneWithReady();
    scene.terminate(2 * MINUTE);
    expect(scene.only('drain-node')).toMatchObject({
      node: NODE,
      reason: drainReason({ source: 'ec2/spot', deadline: scene.now + 2 * MINUTE }),
    });
    expect(scene.only('drain-node').reason).toMatch(
      /^ckptd: termination notice ec2\/spot, deadline 2027-01-15T\d\d:\d\d:\d\dZ$/,
    );
    expect(scene.record(1).plan).toMatchObject({
      reason: 'nodeTermination',
      node: NODE,
      deadline: scene.now + 2 * MINUTE,
      step: 'guard',
    });
    scene.settle('guard', DONE);
    scene.checkpointReady('final', 1);
    expect(scene.only('restore')).toMatchObject({ actionId: 'final', reason: 'nodeTermination' });
    scene.settle('drain-node', DONE);
    expect(scene.noted('node-drained')).toHaveLength(1);
    expect(scene.state.ownDrain).toMatchObject({ step: 'set' });
  });

  test('without a deadline the reason says so', () => {
    const scene = new Scene();
    scene.terminate(null, { source: 'logind' });
    expect(scene.only('drain-node').reason).toBe('ckptd: termination notice logind, no deadline');
  });

  test('the same notice again and again is one, and the deadline that came first stands', () => {
    const scene = sceneWithReady();
    scene.terminate(2 * MINUTE);
    const { deadline } = scene.record(1).plan!;
    const before = scene.sent.length;
    for (let again = 0; again < 5; again++) {
      scene.now += SECOND;
      scene.terminate(2 * MINUTE);
    }
    expect(scene.sent.length).toBe(before);
    expect(scene.record(1).plan?.deadline).toBe(deadline);
    expect(scene.noted('notice')).toHaveLength(1);
  });

  test('its own drain, seen in Slurm before or after, is no drain of somebody', () => {
    const scene = sceneWithReady();
    scene.terminate(2 * MINUTE);
    const { reason } = scene.only('drain-node');
    scene.node(['DRAIN'], { reason });
    scene.settle('drain-node', DONE);
    scene.node(['DRAIN'], { reason });
    expect(scene.noted('node-away')).toEqual([]);
    expect(scene.record(1).plan).toMatchObject({ reason: 'nodeTermination' });
    expect(scene.asked('guard')).toHaveLength(1);
  });

  test('jobs that come after the notice leave as well', () => {
    const scene = new Scene();
    scene.terminate(2 * MINUTE);
    scene.job(1);
    expect(scene.record(1).plan).toMatchObject({ reason: 'nodeTermination' });
  });

  test('`drain_node: false` drains nothing, `on_termination: false` moves nothing', () => {
    const still = sceneWithReady(policyOf({ drainNode: false }));
    still.terminate(2 * MINUTE);
    expect(still.asked('drain-node')).toEqual([]);
    expect(still.step(1)).toBe('guard');
    const stays = sceneWithReady(policyOf({ restore: { onTermination: false } }));
    stays.terminate(2 * MINUTE);
    stays.settle('drain-node', DONE);
    stays.node(['DRAIN'], { reason: stays.state.ownDrain!.reason });
    expect(stays.step(1)).toBeNull();
  });

  test('jobs that the policy leaves alone stay', () => {
    const rules = [ruleOf({ match: { partition: 'debug' }, enabled: false }), ruleOf()];
    const scene = new Scene(policyOf({ rules }));
    scene.job(1, { partition: 'debug' });
    scene.terminate(2 * MINUTE);
    expect(scene.step(1)).toBeNull();
  });

  test('nobody listens to a source that the configuration leaves out', () => {
    const scene = new Scene(policyOf({ noticeProviders: ['gcp', 'file'] }));
    scene.job(1);
    scene.terminate(2 * MINUTE);
    expect(scene.sent).toEqual([]);
    scene.terminate(2 * MINUTE, { source: 'gcp/preempted' });
    expect(scene.asked('drain-node')).toHaveLength(1);
  });

  test('a reload that listens to a source no more takes its notices back', () => {
    const scene = new Scene();
    scene.terminate(2 * MINUTE);
    scene.settle('drain-node', DONE);
    scene.policy = policyOf({ noticeProviders: ['file'] });
    scene.now += SECOND;
    scene.started();
    expect(scene.noted('notice-withdrawn')).toHaveLength(1);
    expect(scene.only('undrain-node')).toMatchObject({ reason: scene.state.ownDrain?.reason });
  });
});

describe('withdrawn', () => {
  test('before the restore: the plan is taken back, the guard given back and the drain lifted', () => {
    const scene = sceneWithReady();
    scene.terminate(2 * MINUTE);
    const { reason } = scene.only('drain-node');
    scene.settle('drain-node', DONE);
    scene.settle('guard', DONE);
    expect(scene.step(1)).toBe('checkpoint');
    scene.notices('ec2/spot');
    expect(scene.step(1)).toBeNull();
    expect(scene.only('guard')).toMatchObject({ requeue: true });
    expect(scene.only('undrain-node')).toMatchObject({ reason });
    // Slurm shows the drain for a moment still.
    scene.node(['DRAIN'], { reason });
    expect(scene.step(1)).toBeNull();
    scene.settle('undrain-node', DONE);
    scene.node(['DRAIN'], { reason });
    expect(scene.step(1)).toBeNull();
    scene.resume();
    expect(scene.noted('node-undrained')).toHaveLength(1);
    expect(scene.asked('undrain-node')).toHaveLength(1);
  });

  test('while the restore is under way: it is recalled, and goes on where that comes too late', () => {
    const scene = sceneWithReady(policyOf({ restore: { finalCheckpoint: false } }));
    scene.terminate(2 * MINUTE);
    scene.settle('guard', DONE);
    scene.notices('ec2/spot');
    expect(scene.recalled).toContain(scene.only('restore').id);
    scene.settle('restore', restored);
    expect(scene.step(1)).toBe('end-source');
  });

  test('while the drain is being set: it is recalled; one that was set all the same is lifted', () => {
    for (const outcome of [RECALLED, DONE]) {
      const scene = new Scene();
      scene.terminate(2 * MINUTE);
      scene.notices('ec2/spot');
      expect(scene.recalled).toContain(scene.only('drain-node').id);
      scene.settle('drain-node', outcome);
      expect(scene.asked('undrain-node')).toHaveLength(outcome === DONE ? 1 : 0);
    }
  });

  test('and back while the drain is being lifted: it is set again, whichever came first', () => {
    for (const outcome of [RECALLED, DONE]) {
      const scene = new Scene();
      scene.terminate(2 * MINUTE);
      scene.settle('drain-node', DONE);
      scene.notices('ec2/spot');
      scene.now += SECOND;
      scene.terminate(2 * MINUTE, { id: 'b'.repeat(16) });
      expect(scene.recalled).toContain(scene.only('undrain-node').id);
      scene.settle('undrain-node', outcome);
      scene.tick();
      // Either the old one stands, and gets the new deadline, or a new one is set.
      expect(scene.only('drain-node').reason).toBe(
        drainReason({ source: 'ec2/spot', deadline: scene.now + 2 * MINUTE }),
      );
    }
  });

  test('after a reboot: the first look that shows nothing lifts the drain', () => {
    const scene = sceneWithReady();
    scene.terminate(2 * MINUTE);
    scene.settle('drain-node', DONE);
    scene.now += 10 * MINUTE;
    scene.started();
    scene.notices('ec2/rebalance');
    expect(scene.opened('undrain-node')).toEqual([]);
    scene.notices('ec2/spot');
    expect(scene.only('undrain-node').reason).toMatch(/^ckptd: termination notice ec2/);
    expect(scene.noted('notice-withdrawn')).toHaveLength(1);
  });

  test('after a reboot that still shows it: nothing is drained or restored twice', () => {
    const scene = sceneWithReady();
    const notice = noticeOf({ deadline: scene.now + 2 * MINUTE });
    scene.notices('ec2/spot', notice);
    const before = scene.sent.length;
    scene.now += MINUTE;
    scene.started();
    scene.notices('ec2/spot', notice);
    expect(scene.sent.length).toBe(before);
  });

  test('one source says nothing of another', () => {
    const scene = new Scene();
    scene.terminate(2 * MINUTE);
    scene.notices('file');
    scene.notices('gcp/preempted');
    expect(scene.noted('notice-withdrawn')).toEqual([]);
    expect(scene.state.notices.size).toBe(1);
  });
});

describe("somebody else's drain", () => {
  test('is not lifted when the notice goes', () => {
    const scene = sceneWithReady();
    scene.terminate(2 * MINUTE);
    scene.settle('drain-node', FOREIGN);
    expect(scene.noted('drain-failed')).toMatchObject([{ level: 'warn' }]);
    scene.drain();
    scene.notices('ec2/spot');
    expect(scene.asked('undrain-node')).toEqual([]);
    // The drain is still there, and is a reason of its own.
    expect(scene.record(1).plan).toMatchObject({ reason: 'nodeUnschedulable', deadline: null });
  });

  test('that is lifted while the notice stands gives way to ours', () => {
    const scene = new Scene();
    scene.drain();
    scene.terminate(2 * MINUTE);
    scene.settle('drain-node', FOREIGN);
    scene.now += SECOND;
    scene.resume();
    expect(scene.asked('drain-node')).toHaveLength(2);
    expect(new Set(scene.asked('drain-node').map(({ id }) => id)).size).toBe(2);
  });

  test('set over ours keeps the jobs leaving after the notice went', () => {
    const scene = sceneWithReady();
    scene.terminate(null);
    scene.settle('drain-node', DONE);
    scene.drain();
    scene.notices('ec2/spot');
    scene.settle('undrain-node', { type: 'left-alone', message: 'another by now' });
    expect(scene.record(1).plan).toMatchObject({ reason: 'nodeUnschedulable' });
    expect(scene.noted('drain-failed')).toMatchObject([{ level: 'warn' }]);
  });

  test('a drain that Slurm refused is said loudly, and the jobs leave all the same', () => {
    const scene = sceneWithReady();
    scene.terminate(2 * MINUTE);
    scene.settle('drain-node', { type: 'refused', status: 0, message: 'Invalid user id' });
    expect(scene.noted('drain-failed')).toMatchObject([{ level: 'error' }]);
    scene.now += SECOND;
    scene.tick();
    expect(scene.asked('drain-node')).toHaveLength(1);
    expect(scene.step(1)).toBe('guard');
  });
});

describe('two notices', () => {
  const FIRST = noticeOf({ id: '1'.repeat(16), source: 'azure/scheduled', deadline: T0 + 60 * MINUTE });
  const SECOND_ONE = noticeOf({ id: '2'.repeat(16), deadline: T0 + 20 * MINUTE });

  test('the earlier deadline holds for plans and drain, until it is withdrawn', () => {
    const scene = sceneWithReady();
    scene.notices(FIRST.source, FIRST);
    scene.settle('drain-node', DONE);
    scene.notices(SECOND_ONE.source, SECOND_ONE);
    expect(scene.record(1).plan?.deadline).toBe(SECOND_ONE.deadline);
    expect(scene.only('drain-node').reason).toBe(drainReason(SECOND_ONE));
    scene.settle('drain-node', DONE);
    scene.notices(SECOND_ONE.source);
    expect(scene.record(1).plan?.deadline).toBe(FIRST.deadline);
    expect(scene.asked('undrain-node')).toEqual([]);
    expect(scene.only('drain-node').reason).toBe(drainReason(FIRST));
    scene.settle('drain-node', DONE);
    scene.notices(FIRST.source);
    expect(scene.only('undrain-node').reason).toBe(drainReason(FIRST));
    expect(scene.step(1)).toBeNull();
    expect(scene.asked('guard').filter(({ requeue }) => !requeue)).toHaveLength(1);
  });

  test('a later deadline changes nothing', () => {
    const scene = sceneWithReady();
    scene.notices(SECOND_ONE.source, SECOND_ONE);
    scene.settle('drain-node', DONE);
    scene.notices(FIRST.source, FIRST);
    expect(scene.record(1).plan?.deadline).toBe(SECOND_ONE.deadline);
    expect(scene.asked('drain-node')).toHaveLength(1);
  });

  test('a plan that failed before is tried again for a new notice, once', () => {
    const scene = sceneWithReady(policyOf({ restore: { finalCheckpoint: false } }));
    scene.notices(SECOND_ONE.source, SECOND_ONE);
    scene.settle('guard', DONE);
    scene.settle('restore', { type: 'refused', status: 500, message: 'no' });
    expect(scene.step(1)).toBe('failed');
    scene.settle('guard', DONE);
    scene.now += SECOND;
    scene.notices(SECOND_ONE.source, SECOND_ONE);
    expect(scene.step(1)).toBe('failed');
    scene.notices(FIRST.source, FIRST);
    expect(scene.step(1)).toBe('guard');
  });
});

describe('a notice during a drain', () => {
  test('makes the plan more urgent, as long as its restore was not sent', () => {
    const scene = sceneWithReady();
    scene.drain();
    expect(scene.record(1).plan).toMatchObject({ reason: 'nodeUnschedulable', deadline: null });
    scene.settle('guard', DONE);
    scene.settle('checkpoint', { type: 'accepted', actionId: 'final' });
    scene.terminate(MINUTE);
    expect(scene.record(1).plan).toMatchObject({ reason: 'nodeTermination', deadline: scene.now + MINUTE });
    scene.pass(MINUTE - SECOND);
    expect(scene.only('restore')).toMatchObject({ actionId: 'old', reason: 'nodeTermination' });
    expect(scene.noted('plan-changed')).toHaveLength(1);
    expect(scene.asked('guard')).toHaveLength(1);
  });

  test('does not wait for a final checkpoint under way that will not be there in time', () => {
    const scene = sceneWithReady();
    scene.drain();
    scene.settle('guard', DONE);
    scene.settle('checkpoint', { type: 'accepted', actionId: 'final' });
    scene.terminate(15 * SECOND);
    scene.pass(SECOND);
    expect(scene.only('restore')).toMatchObject({ actionId: 'old', reason: 'nodeTermination' });
  });

  test('does not wait for the guard as long as the drain would have', () => {
    const scene = sceneWithReady();
    scene.drain();
    const guard = scene.only('guard');
    scene.terminate(20 * SECOND);
    scene.pass(6 * SECOND);
    expect(scene.recalled).toEqual([guard.id]);
    scene.settle('guard', RECALLED);
    expect(scene.noted('guard-failed')).toHaveLength(1);
    expect(scene.only('restore')).toMatchObject({ actionId: 'old', reason: 'nodeTermination' });
  });

  test('leaves a restore that was sent as it is', () => {
    const scene = sceneWithReady(policyOf({ restore: { finalCheckpoint: false } }));
    scene.drain();
    scene.settle('guard', DONE);
    scene.terminate(MINUTE);
    expect(scene.only('restore')).toMatchObject({ reason: 'nodeUnschedulable' });
    expect(scene.record(1).plan).toMatchObject({ reason: 'nodeUnschedulable', deadline: null });
  });

  test('that is withdrawn leaves the drain as it was', () => {
    const scene = sceneWithReady();
    scene.drain();
    scene.settle('guard', DONE);
    scene.terminate(MINUTE);
    scene.settle('drain-node', FOREIGN);
    scene.notices('ec2/spot');
    expect(scene.record(1).plan).toMatchObject({ reason: 'nodeUnschedulable', deadline: null });
    expect(scene.recalled).toEqual([]);
  });

  test('a plan by hand keeps its reason, and hurries', () => {
    const scene = sceneWithReady();
    scene.askRestore(1);
    scene.settle('guard', DONE);
    scene.terminate(MINUTE);
    expect(scene.record(1).plan).toMatchObject({
      reason: 'manual',
      node: null,
      deadline: scene.now + MINUTE,
    });
  });
});

describe("another node's daemon", () => {
  const REASON = 'ckptd: termination notice ec2/spot, deadline 2027-01-15T08:50:00Z';
  const twoNodes = (policy?: Policy) => sceneWithReady(policy, { nodes: ['n1', 'n2'] });

  test('tells through Slurm: nodeTermination, with its deadline', () => {
    const scene = twoNodes();
    scene.node(['DRAIN'], { node: 'n2', reason: REASON });
    expect(scene.record(1).plan).toMatchObject({
      node: 'n2',
      reason: 'nodeTermination',
      deadline: Date.parse('2027-01-15T08:50:00Z'),
    });
    scene.node([], { node: 'n2', reason: REASON });
    expect(scene.step(1)).toBeNull();
  });

  test.each([
    ['ckptd: termination notice azure/scheduled, no deadline', 'nodeTermination', null],
    ['ckptd: termination notice x, deadline 2027-99-99T99:99:99Z', 'nodeTermination', null],
    [`ckptd: termination notice ${'x'.repeat(5_000)}`, 'nodeTermination', null],
    ['ckptd is updated', 'nodeUnschedulable', null],
    [` ${REASON}`, 'nodeUnschedulable', null],
  ])('reason %.70s: %s', (reason, wanted, deadline) => {
    const scene = twoNodes();
    scene.node(['DRAIN'], { node: 'n2', reason });
    expect(scene.record(1).plan).toMatchObject({ reason: wanted, deadline });
  });

  test('a stale reason without a drain is none, and `on_termination: false` leaves the jobs', () => {
    const scene = twoNodes();
    scene.node([], { node: 'n2', reason: REASON });
    expect(scene.step(1)).toBeNull();
    const stays = twoNodes(policyOf({ restore: { onTermination: false } }));
    stays.node(['DRAIN'], { node: 'n2', reason: REASON });
    expect(stays.step(1)).toBeNull();
  });

  test('an older drain becomes a termination: the plan follows', () => {
    const scene = twoNodes();
    scene.node(['DRAIN'], { node: 'n2', reason: 'disk' });
    scene.settle('guard', DONE);
    scene.node(['DRAIN'], { node: 'n2', reason: REASON });
    expect(scene.record(1).plan).toMatchObject({ reason: 'nodeTermination', step: 'checkpoint' });
  });

  test('a drain of ours whose notice nobody here remembers counts as one of another node', () => {
    const scene = sceneWithReady();
    scene.node(['DRAIN'], { reason: REASON });
    expect(scene.record(1).plan).toMatchObject({ reason: 'nodeTermination' });
    expect(scene.asked('undrain-node')).toEqual([]);
  });
});

describe('a rebalance notice', () => {
  const REBALANCE = noticeOf({
    id: '9'.repeat(16),
    source: 'ec2/rebalance',
    kind: 'rebalance',
    deadline: null,
  });

  test('one checkpoint of each live run, the largest first, as many at once as heartbeats; no restore, no drain', () => {
    const rules = [ruleOf({ match: { partition: 'debug' }, enabled: false }), ruleOf()];
    const scene = new Scene(policyOf({ rules }));
    for (const [jobId, cpus] of [
      [1, 2],
      [2, 8],
      [3, 4],
    ] as const)
      scene.job(jobId, { cpus });
    scene.job(4, { partition: 'debug' });
    scene.job(5, { state: 'SUSPENDED' });
    scene.pass(MINUTE);
    scene.notices('ec2/rebalance', REBALANCE);
    expect(scene.asked('checkpoint').map(({ jobId, reason }) => [jobId, reason])).toEqual([
      [2, 'manual'],
      [3, 'manual'],
    ]);
    scene.checkpointReady('a', 2);
    expect(scene.asked('checkpoint').map(({ jobId }) => jobId)).toEqual([2, 3, 1]);
    scene.settle('checkpoint', { type: 'not-checkpointable', message: 'none' }, 3);
    scene.checkpointReady('b', 1);
    scene.notices('ec2/rebalance', REBALANCE);
    scene.started();
    scene.job(6);
    expect(scene.asked('checkpoint')).toHaveLength(3);
    expect(scene.sent.map(({ kind }) => kind)).not.toContain('drain-node');
    expect(scene.sent.map(({ kind }) => kind)).not.toContain('restore');
  });

  test('a heartbeat under way does not count', () => {
    const scene = new Scene();
    scene.job(1);
    scene.pass(15 * MINUTE);
    scene.notices('ec2/rebalance', REBALANCE);
    expect(scene.asked('checkpoint')).toHaveLength(1);
    scene.checkpointReady('beat', 1);
    expect(scene.asked('checkpoint').map(({ reason }) => reason)).toEqual(['heartbeat', 'manual']);
  });

  test('withdrawn: what was not asked for yet is not', () => {
    const scene = new Scene(policyOf({ heartbeatConcurrency: 1 }));
    scene.job(1);
    scene.job(2);
    scene.notices('ec2/rebalance', REBALANCE);
    scene.notices('ec2/rebalance');
    scene.checkpointReady('a');
    expect(scene.asked('checkpoint')).toHaveLength(1);
  });

  test('then a termination: a run that waits for its checkpoint gets it on the way', () => {
    const scene = new Scene(policyOf({ heartbeatConcurrency: 1 }));
    scene.job(1, { requeue: false });
    scene.job(2, { requeue: false });
    scene.notices('ec2/rebalance', REBALANCE);
    scene.terminate(2 * MINUTE);
    expect(scene.asked('checkpoint', 1)).toHaveLength(1);
    expect(scene.asked('checkpoint', 2)).toHaveLength(1);
  });
});

describe('time', () => {
  test('the deadline has passed already: straight to the newest ready one; what has none is still tried', () => {
    const scene = sceneWithReady(undefined, { requeue: false });
    scene.job(2, { requeue: false });
    scene.terminate(-5 * MINUTE);
    expect(scene.only('restore')).toMatchObject({ jobId: 1, actionId: 'old' });
    expect(scene.only('checkpoint')).toMatchObject({ jobId: 2, reason: 'manual' });
    expect((scene.only('checkpoint') as { expiresAt: number }).expiresAt).toBeGreaterThan(scene.now);
    scene.pass(SECOND);
    expect(scene.noted('job-in-danger')).toMatchObject([{ jobId: 2 }]);
    scene.checkpointReady('late', 2);
    expect(scene.opened('restore', 2)).toMatchObject([{ actionId: 'late' }]);
  });

  test('the guard takes a part of the time at most', () => {
    const scene = sceneWithReady();
    scene.terminate(20 * SECOND);
    expect(scene.only('guard').expiresAt - scene.state.clock).toBeLessThanOrEqual(5 * SECOND);
  });

  test('the largest unsaved work first, as many at once as may be', () => {
    const scene = readyScene(
      { 1: { cpus: 2 }, 2: { cpus: 64 }, 3: { cpus: 8 } },
      policyOf({ restore: { concurrency: 2, sourceJob: 'leave' } }),
    );
    scene.terminate(10 * MINUTE);
    expect(scene.asked('checkpoint').map(({ jobId }) => jobId)).toEqual([2, 3]);
    expect(scene.step(1)).toBe('queued');
  });

  test('what has no time for a final checkpoint does not wait behind those that have', () => {
    const scene = readyScene(
      { 1: { cpus: 64 }, 2: { cpus: 32 }, 3: { cpus: 2, took: 300 } },
      policyOf({ restore: { concurrency: 2, sourceJob: 'leave' } }),
    );
    scene.terminate(2 * MINUTE);
    expect(scene.asked('checkpoint').map(({ jobId }) => jobId)).toEqual([1, 2]);
    expect(scene.only('restore')).toMatchObject({ jobId: 3, actionId: 'old3' });
  });

  test('restores never are more than `concurrency`, also where final checkpoints become ready together', () => {
    const jobs = { 1: { cpus: 64 }, 2: { cpus: 32 }, 3: { took: 300 }, 4: { took: 300 } };
    const scene = readyScene(jobs, policyOf({ restore: { concurrency: 2, sourceJob: 'leave' } }));
    scene.terminate(2 * MINUTE);
    expect(scene.opened('restore').map(({ jobId }) => jobId)).toEqual([3, 4]);
    scene.checkpointReady('f1', 1, SECOND);
    scene.checkpointReady('f2', 2, SECOND);
    expect(scene.opened('restore').map(({ jobId }) => jobId)).toEqual([3, 4]);
    scene.settle('restore', restored, 3);
    scene.settle('restore', restored, 4);
    expect(scene.opened('restore').map(({ jobId, actionId }) => [jobId, actionId])).toEqual([
      [1, 'f1'],
      [2, 'f2'],
    ]);
  });

  test('nobody in the queue starves: from the time that the others need on, all go straight to their restore', () => {
    const many = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [i + 1, { cpus: 40 - i, took: 5 }]));
    const scene = readyScene(many, policyOf({ restore: { concurrency: 2, sourceJob: 'leave' } }));
    const deadline = scene.now + MINUTE;
    scene.terminate(MINUTE);
    // Checkpoints take 5 s, restores 2 s; each answer comes when it is due.
    const due = new Map<string, number>();
    while (scene.now < deadline) {
      for (const effect of scene.open.values()) {
        if (due.has(effect.id) || effect.kind === 'drain-node') continue;
        due.set(
          effect.id,
          scene.now + (effect.kind === 'restore' ? 2_000 : effect.kind === 'checkpoint' ? 0 : 5_000),
        );
      }
      const next = [...due].filter(([id]) => scene.open.has(id)).sort((a, b) => a[1] - b[1])[0];
      if (next === undefined) break;
      scene.pass(Math.max(0, next[1] - scene.now));
      const effect = scene.open.get(next[0]);
      if (effect === undefined) continue;
      const at = scene.now;
      if (effect.kind === 'checkpoint')
        scene.send({
          type: 'settled',
          at,
          effect,
          outcome: { type: 'accepted', actionId: `f${effect.jobId}` },
        });
      else if (effect.kind === 'await-ready')
        scene.send({ type: 'settled', at, effect, outcome: { type: 'ready', readyAt: at } });
      else scene.send({ type: 'settled', at, effect, outcome: restored });
      expect(scene.opened('restore').length).toBeLessThanOrEqual(2);
    }
    expect(scene.now).toBeLessThanOrEqual(deadline);
    expect(scene.noted('restored')).toHaveLength(40);
    const finals = scene.asked('restore').filter(({ actionId }) => actionId.startsWith('f'));
    expect(finals.length).toBeGreaterThan(0);
    expect(finals.length).toBeLessThan(40);
    expect(scene.noted('job-in-danger')).toEqual([]);
  });

  test('too short for all: what is not restored by then is said, each once', () => {
    const scene = readyScene(
      { 1: {}, 2: {}, 3: {} },
      policyOf({ restore: { concurrency: 1, sourceJob: 'leave' } }),
    );
    scene.terminate(5 * SECOND);
    scene.pass(4 * SECOND);
    scene.settle('restore', restored);
    scene.pass(MINUTE);
    expect(scene.noted('job-in-danger').map(({ jobId, level }) => [jobId, level])).toEqual([
      [2, 'error'],
      [3, 'error'],
    ]);
    scene.settle('restore', restored);
    scene.settle('restore', restored);
    expect(scene.noted('restored')).toHaveLength(3);
  });

  test('after a deadline that is over already, a restore without an answer is said after five seconds', () => {
    const scene = sceneWithReady(policyOf({ restore: { sourceJob: 'leave' } }));
    scene.terminate(-MINUTE);
    scene.pass(4 * SECOND);
    expect(scene.noted('job-in-danger')).toEqual([]);
    scene.pass(MINUTE);
    expect(scene.noted('job-in-danger')).toMatchObject([{ jobId: 1, level: 'error' }]);
  });

  test('absurd deadlines: no error, and no loop', () => {
    for (const deadline of [0, -8.64e15, 8.64e15, Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER]) {
      const scene = sceneWithReady();
      scene.notices('ec2/spot', noticeOf({ deadline }));
      expect(scene.only('drain-node').reason).toMatch(/deadline \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      scene.pass(MINUTE);
      expect(scene.record(1).plan?.reason).toBe('nodeTermination');
    }
  });
});

describe('by hand', () => {
  test('given, taken back, and answered', () => {
    const scene = sceneWithReady();
    scene.askNotice({ deadline: scene.now + MINUTE });
    expect(scene.replies).toEqual([
      { requestId: 'request-1', ok: true, noticeId: noticeOf().id, created: true },
    ]);
    expect(scene.only('drain-node').reason).toMatch(/^ckptd: termination notice socket, deadline/);
    expect(scene.step(1)).toBe('guard');
    scene.settle('drain-node', DONE);
    scene.askWithdraw(noticeOf().id);
    expect(scene.replies[1]).toEqual({
      requestId: 'request-2',
      ok: true,
      noticeId: noticeOf().id,
      created: false,
    });
    expect(scene.opened('undrain-node')).toHaveLength(1);
    expect(scene.step(1)).toBeNull();
    scene.askWithdraw(noticeOf().id);
    expect(scene.replies[2]).toMatchObject({ ok: false, status: 404 });
  });

  test("a provider's own cannot be taken back, and a source cannot speak for the socket", () => {
    const scene = new Scene();
    scene.terminate(MINUTE);
    scene.askWithdraw(noticeOf().id);
    expect(scene.replies[0]).toMatchObject({ ok: false, status: 409, message: /ec2\/spot/ });
    scene.askNotice({ id: 'c'.repeat(16), deadline: null });
    scene.notices('socket');
    expect(scene.state.notices.size).toBe(2);
  });

  test("passes 15 minutes after its deadline, and a provider's does not", () => {
    const scene = new Scene();
    scene.askNotice({ deadline: scene.now + MINUTE });
    scene.terminate(MINUTE, { id: 'd'.repeat(16) });
    scene.settle('drain-node', DONE);
    scene.pass(15 * MINUTE);
    expect(scene.state.notices.size).toBe(2);
    scene.pass(MINUTE);
    expect([...scene.state.notices.values()].map(({ notice }) => notice.source)).toEqual(['ec2/spot']);
    // The drain is in the name of what still stands.
    expect(scene.only('drain-node').reason).toMatch(/ec2\/spot/);
    scene.settle('drain-node', DONE);
    scene.notices('ec2/spot');
    expect(scene.asked('undrain-node')).toHaveLength(1);
  });

  test('one without a deadline stands until it is taken back', () => {
    const scene = new Scene();
    scene.askNotice({ deadline: null });
    scene.pass(1_000 * MINUTE);
    expect(scene.state.notices.size).toBe(1);
  });

  test('one that has passed already, or the 101st, is refused', () => {
    const scene = new Scene();
    scene.askNotice({ deadline: scene.now - 16 * MINUTE });
    expect(scene.replies[0]).toMatchObject({ ok: false, status: 400 });
    for (let n = 0; n < 101; n++) scene.askNotice({ id: String(n).padStart(16, '0'), deadline: null });
    expect(scene.replies.at(-1)).toMatchObject({ ok: false, status: 409 });
    expect(scene.state.notices.size).toBe(100);
    expect(scene.asked('drain-node')).toHaveLength(1);
  });
});

describe('a dry run', () => {
  const DRY = policyOf({ restore: { dryRun: true } });

  test.each([
    ['of the notice', undefined, true],
    ['of the configuration', DRY, false],
  ])('%s: every call is said, with job, action id and reason, and none is made', (_, policy, dryRun) => {
    const scene = sceneWithReady(policy);
    const before = scene.sent.length;
    scene.terminate(2 * MINUTE, { dryRun });
    expect(scene.sent.length).toBe(before);
    const said = scene
      .noted('dry-run')
      .map(({ jobId, message, details }) => [jobId, message, details['action_id']]);
    expect(said).toEqual([
      [
        null,
        expect.stringMatching(/node n1 would be drained: ckptd: termination notice ec2\/spot/),
        undefined,
      ],
      [1, expect.stringMatching(/Requeue would be switched off/), undefined],
      [1, expect.stringMatching(/a final checkpoint would be asked for/), undefined],
      [1, expect.stringMatching(/restore of its final checkpoint .*nodeTermination.*old/), 'old'],
      [1, expect.stringMatching(/old run would be ended/), undefined],
    ]);
    expect(scene.record(1).plan).toMatchObject({ step: 'rehearsed', reason: 'nodeTermination' });
    // Once, and heartbeats go on.
    scene.pass(15 * MINUTE);
    scene.terminate(2 * MINUTE, { dryRun });
    expect(scene.noted('dry-run')).toHaveLength(5);
    expect(scene.asked('checkpoint').map(({ reason }) => reason)).toEqual(['heartbeat', 'heartbeat']);
  });

  test('of a job with nothing to restore from, in too short a time', () => {
    const scene = new Scene(policyOf({ restore: { finalCheckpoint: false, dryRun: true } }));
    scene.job(1);
    scene.terminate(30 * SECOND);
    expect(scene.noted('dry-run').at(-1)?.message).toMatch(/would be in danger/);
    expect(scene.sent).toEqual([]);
  });

  test('a drain by an administrator is rehearsed as well, each time', () => {
    const scene = sceneWithReady(DRY);
    const before = scene.sent.length;
    scene.drain();
    scene.drain();
    expect(scene.noted('dry-run')).toHaveLength(4);
    scene.resume();
    expect(scene.step(1)).toBeNull();
    scene.drain();
    expect(scene.noted('dry-run')).toHaveLength(8);
    expect(scene.sent.length).toBe(before);
  });

  test('in earnest after a rehearsal: it acts, also under the same id', () => {
    for (const id of [noticeOf().id, 'e'.repeat(16)]) {
      const scene = sceneWithReady();
      scene.terminate(2 * MINUTE, { dryRun: true });
      expect(scene.sent.filter(({ kind }) => kind !== 'checkpoint' && kind !== 'await-ready')).toEqual([]);
      scene.now += SECOND;
      scene.terminate(2 * MINUTE, { id });
      expect(scene.asked('drain-node')).toHaveLength(1);
      expect(scene.record(1).plan).toMatchObject({ step: 'guard', reason: 'nodeTermination' });
    }
  });

  test('a rehearsal of what is in earnest already changes nothing', () => {
    const scene = sceneWithReady();
    scene.terminate(2 * MINUTE);
    const before = scene.sent.length;
    scene.notices(
      'file',
      noticeOf({ id: 'f'.repeat(16), source: 'file', deadline: scene.now, dryRun: true }),
    );
    expect(scene.record(1).plan?.step).toBe('guard');
    expect(scene.sent.length).toBe(before);
    scene.notices('ec2/spot');
    expect(scene.record(1).plan?.step).toBe('rehearsed');
    expect(scene.recalled).toContain(scene.only('drain-node').id);
  });

  test('taken back: that the drain would be lifted is said, and no plan is left', () => {
    const scene = sceneWithReady();
    scene.terminate(2 * MINUTE, { dryRun: true });
    scene.notices('ec2/spot');
    expect(scene.noted('dry-run').at(-1)?.message).toMatch(/drain of node n1 would be lifted/);
    expect(scene.step(1)).toBeNull();
    expect(scene.asked('undrain-node')).toEqual([]);
  });

  test('of a rebalance: no checkpoint', () => {
    const scene = new Scene();
    scene.job(1);
    scene.terminate(null, { kind: 'rebalance', dryRun: true });
    expect(scene.noted('dry-run')).toMatchObject([{ jobId: 1, message: /checkpoint would be asked for/ }]);
    expect(scene.sent).toEqual([]);
  });

  test('a restore by hand is refused, and said', () => {
    const scene = sceneWithReady(DRY);
    scene.askRestore(1);
    expect(scene.replies).toMatchObject([{ ok: false, status: 409, message: /dry_run/ }]);
    expect(scene.noted('dry-run')).toMatchObject([{ jobId: 1, details: { action_id: 'old' } }]);
    expect(scene.asked('restore')).toEqual([]);
  });

  test('a run that Slurm gave up is still said to be lost', () => {
    const scene = sceneWithReady(DRY);
    scene.node();
    scene.job(1, { state: 'NODE_FAIL' });
    expect(scene.noted('dry-run')).toMatchObject([{ details: { action_id: 'old' } }]);
    expect(scene.noted('job-lost')).toHaveLength(1);
    expect(scene.asked('restore')).toEqual([]);
  });

  test('switched on during an evacuation: what was not sent is not, and what stands is left; switched off: it goes on', () => {
    const scene = sceneWithReady();
    scene.terminate(10 * MINUTE);
    scene.settle('drain-node', DONE);
    scene.settle('guard', DONE);
    scene.policy = DRY;
    scene.now += SECOND;
    scene.started();
    expect(scene.step(1)).toBe('rehearsed');
    expect(scene.only('guard')).toMatchObject({ requeue: true });
    scene.settle('guard', DONE);
    expect(scene.state.ownDrain?.step).toBe('set');
    scene.policy = policyOf();
    scene.now += SECOND;
    scene.started();
    expect(scene.record(1).plan).toMatchObject({ step: 'guard', reason: 'nodeTermination' });
    expect(scene.asked('drain-node')).toHaveLength(1);
  });
});

test('`decide` is pure with notices: the same again gives the same', () => {
  const scene = sceneWithReady(policyOf({ rules: [ruleOf({ heartbeat: heartbeatOf() })] }));
  const event = { type: 'notices', at: scene.now, source: 'ec2/spot', standing: [noticeOf()] } as const;
  expect(decide(scene.state, event, scene.policy)).toEqual(decide(scene.state, event, scene.policy));
});
