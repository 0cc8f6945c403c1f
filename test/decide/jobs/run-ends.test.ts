import { describe, expect, test } from 'vitest';
import type { Scene as SceneType } from '../scene.ts';
import { MINUTE, policyOf, Scene, sceneWithReady, T0 } from '../scene.ts';

const DONE = { type: 'done' } as const;
const AWAY = { type: 'unavailable', message: 'nobody answered' } as const;
const restored = { type: 'restored', actionId: 'new' } as const;
const stale = (state: string) => ({ type: 'stale', state, message: `job 1 is ${state}` }) as const;

/** A job with the ready checkpoint `old` and a plan at this step. */
function at(step: 'queued' | 'guard' | 'checkpoint' | 'restore' | 'end-source' | 'failed'): SceneType {
  const scene = sceneWithReady(policyOf({ restore: { concurrency: step === 'queued' ? 0 : 4 } }));
  scene.resume();
  scene.drain();
  if (step === 'queued' || step === 'guard') return scene;
  scene.settle('guard', DONE);
  if (step === 'checkpoint') return scene;
  scene.settle('checkpoint', AWAY);
  if (step === 'failed') {
    scene.settle('restore', { type: 'refused', status: 500, message: 'no' });
    scene.settle('guard', DONE);
  }
  if (step === 'end-source') scene.settle('restore', restored);
  return scene;
}

/** Everything that is open finds the run gone. */
function settleAllStale(scene: SceneType, state: string): void {
  for (const effect of [...scene.open.values()]) {
    const outcome = effect.kind === 'end-source' ? DONE : stale(state);
    scene.send({ type: 'settled', at: scene.now, effect, outcome });
  }
}

describe('the job ends while it is on its way', () => {
  const steps = ['queued', 'guard', 'checkpoint', 'restore', 'end-source', 'failed'] as const;
  const ends = ['COMPLETED', 'CANCELLED', 'FAILED', 'TIMEOUT'];
  test.each(steps.flatMap((step) => ends.map((end) => ({ step, end }))))('$step, $end', ({ step, end }) => {
    const scene = at(step);
    const before = scene.asked('restore').length;
    scene.job(1, { state: end });
    settleAllStale(scene, end);
    expect(scene.asked('restore')).toHaveLength(before);
    expect(scene.state.jobs.size).toBe(0);
    expect(scene.open.size).toBe(0);
  });

  test.each(steps)('%s, gone from Slurm', (step) => {
    const scene = at(step);
    const before = scene.asked('restore').length;
    scene.send({ type: 'job-absent', at: scene.now, jobId: 1 });
    settleAllStale(scene, 'ABSENT');
    expect(scene.asked('restore')).toHaveLength(before);
    expect(scene.state.jobs.size).toBe(0);
  });

  test.each(['queued', 'guard', 'checkpoint', 'restore', 'failed'] as const)(
    '%s, gone from Slurm: nobody knows how it ended, and that is an error with its checkpoint',
    (step) => {
      const scene = at(step);
      scene.now += 12 * MINUTE;
      scene.started();
      scene.send({ type: 'job-absent', at: scene.now, jobId: 1 });
      settleAllStale(scene, 'ABSENT');
      expect(scene.noted('job-lost')).toMatchObject([
        { level: 'error', jobId: 1, details: { action_id: 'old', advice: expect.any(String) } },
      ]);
      expect(scene.noted('job-lost')[0]?.message).toContain('nobody knows how it ended');
    },
  );

  test('stranded, gone from Slurm: an error', () => {
    const scene = new Scene();
    scene.job(1);
    scene.drain();
    scene.settle('guard', DONE);
    scene.settle('checkpoint', AWAY);
    expect(scene.step(1)).toBe('stranded');
    scene.send({ type: 'job-absent', at: scene.now, jobId: 1 });
    expect(scene.noted('job-lost')).toHaveLength(1);
  });

  test('its restore was taken back for that: an error', () => {
    const scene = at('restore');
    scene.send({ type: 'job-absent', at: scene.now, jobId: 1 });
    scene.settle('restore', { type: 'recalled' });
    expect(scene.noted('job-lost')).toMatchObject([{ level: 'error', details: { action_id: 'old' } }]);
  });

  test('guarded once, and gone from Slurm before it showed the flag again: an error', () => {
    const scene = at('checkpoint');
    scene.resume();
    expect(scene.record(1)).toMatchObject({ plan: null, requeueDisabledByUs: true });
    scene.send({ type: 'job-absent', at: scene.now, jobId: 1 });
    expect(scene.noted('job-lost')).toMatchObject([{ details: { action_id: 'old' } }]);
  });

  test.each([
    { what: 'restored already', scene: () => at('end-source') },
    { what: 'no plan for it', scene: () => sceneWithReady() },
  ])('gone from Slurm, $what: no error', ({ scene: make }) => {
    const scene = make();
    scene.send({ type: 'job-absent', at: scene.now, jobId: 1 });
    settleAllStale(scene, 'ABSENT');
    expect(scene.notes.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('its restore was answered after all: no error', () => {
    const scene = at('restore');
    scene.send({ type: 'job-absent', at: scene.now, jobId: 1 });
    scene.settle('restore', restored);
    scene.settle('end-source', DONE);
    expect(scene.notes.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('a restore that was not sent yet is recalled', () => {
    const scene = at('restore');
    scene.job(1, { state: 'COMPLETED' });
    expect(scene.recalled).toContain(scene.only('restore').id);
    scene.settle('restore', { type: 'recalled' });
    expect(scene.state.jobs.size).toBe(0);
  });

  test.each(['guard', 'checkpoint', 'restore'] as const)(
    '%s, NODE_FAIL: the ready checkpoint is restored',
    (step) => {
      const scene = at(step);
      scene.job(1, { state: 'NODE_FAIL' });
      for (const kind of ['guard', 'checkpoint'] as const) {
        for (const effect of scene.opened(kind)) {
          scene.send({ type: 'settled', at: scene.now, effect, outcome: stale('NODE_FAIL') });
        }
      }
      expect(scene.only('restore')).toMatchObject({ actionId: 'old' });
      scene.settle('restore', restored);
      scene.settle('end-source', DONE);
      expect(scene.state.jobs.size).toBe(0);
      expect(scene.asked('restore')).toHaveLength(1);
    },
  );

  test('queued, NODE_FAIL: it waits for its place', () => {
    const scene = at('queued');
    scene.job(1, { state: 'NODE_FAIL' });
    expect(scene.asked('restore')).toEqual([]);
    scene.send({ type: 'job-absent', at: scene.now, jobId: 1 });
    scene.policy = policyOf();
    scene.pass(MINUTE);
    scene.drain();
    expect(scene.only('restore')).toMatchObject({ actionId: 'old' });
  });

  test('NODE_FAIL, and then the node is back: that does not bring the run back', () => {
    const scene = at('restore');
    scene.job(1, { state: 'NODE_FAIL' });
    scene.resume();
    expect(scene.recalled).toEqual([]);
    scene.settle('restore', restored);
    expect(scene.only('end-source')).toMatchObject({ jobId: 1 });
  });

  test('NODE_FAIL, and Slurm forgets it before its restore could be sent: lost, loudly', () => {
    const scene = at('restore');
    scene.job(1, { state: 'NODE_FAIL' });
    scene.settle('restore', stale('ABSENT'));
    expect(scene.noted('job-lost')).toMatchObject([{ level: 'error', details: { action_id: 'old' } }]);
    expect(scene.state.jobs.size).toBe(0);
  });

  test('failed, NODE_FAIL: it is lost, loudly', () => {
    const scene = at('failed');
    scene.job(1, { state: 'NODE_FAIL' });
    expect(scene.noted('job-lost')).toMatchObject([{ level: 'error', jobId: 1 }]);
    expect(scene.state.jobs.size).toBe(0);
  });

  test('NODE_FAIL while a checkpoint becomes ready: it is waited for', () => {
    const scene = new Scene();
    scene.job(1);
    scene.drain();
    scene.settle('guard', DONE);
    scene.settle('checkpoint', { type: 'accepted', actionId: 'a' });
    scene.job(1, { state: 'NODE_FAIL' });
    expect(scene.noted('job-lost')).toEqual([]);
    scene.settle('await-ready', { type: 'ready', readyAt: scene.now });
    expect(scene.only('restore')).toMatchObject({ actionId: 'a' });
  });

  test('NODE_FAIL with nothing ready: lost, loudly', () => {
    const scene = new Scene();
    scene.job(1);
    scene.drain();
    scene.settle('guard', DONE);
    scene.job(1, { state: 'NODE_FAIL' });
    scene.settle('checkpoint', stale('NODE_FAIL'));
    expect(scene.noted('job-lost')).toMatchObject([{ level: 'error', jobId: 1 }]);
    expect(scene.state.jobs.size).toBe(0);
    expect(scene.open.size).toBe(0);
  });
});

describe('the Epilog comes before Slurm’s word', () => {
  test.each(['guard', 'checkpoint'] as const)(
    '%s: nothing is restored until Slurm said how it ended',
    (step) => {
      const scene = at(step);
      scene.epilog(1);
      settleAllStale(scene, 'COMPLETED');
      expect(scene.asked('restore')).toEqual([]);
      scene.job(1, { state: 'COMPLETED' });
      expect(scene.asked('restore')).toEqual([]);
      expect(scene.state.jobs.size).toBe(0);
    },
  );

  test.each(['guard', 'checkpoint'] as const)('%s: NODE_FAIL is restored then', (step) => {
    const scene = at(step);
    scene.epilog(1);
    settleAllStale(scene, 'COMPLETING');
    scene.job(1, { state: 'NODE_FAIL' });
    expect(scene.only('restore')).toMatchObject({ actionId: 'old' });
  });

  test('it was the Epilog of an earlier run: the plan goes on', () => {
    const scene = at('guard');
    scene.epilog(1);
    scene.settle('guard', DONE);
    expect(scene.kinds()).toEqual([]);
    scene.job(1);
    expect(scene.kinds()).toEqual(['checkpoint']);
    expect(scene.step(1)).toBe('checkpoint');
  });

  test('an ended run gets no heartbeat', () => {
    const scene = new Scene();
    scene.job(1);
    scene.epilog(1);
    expect(scene.wakeAt).toBeNull();
    scene.send({ type: 'epilog', at: scene.now, jobId: 99, restarts: 0 });
    expect(scene.state.jobs.size).toBe(1);
  });

  test('the Epilog of a requeue carries the next restart count', () => {
    const scene = new Scene();
    scene.job(1);
    scene.epilog(1, 1);
    expect(scene.record(1).endedAt).not.toBeNull();
  });

  test('the late Epilog of an earlier run says nothing of this one', () => {
    const scene = new Scene();
    scene.job(1, { restarts: 2 });
    scene.epilog(1, 1);
    expect(scene.record(1).endedAt).toBeNull();
  });
});

describe('no plan, and the node fails', () => {
  test('its last checkpoint is restored where Slurm can still reach the node', () => {
    const scene = sceneWithReady();
    scene.resume();
    scene.job(1, { state: 'NODE_FAIL' });
    expect(scene.only('restore')).toMatchObject({ actionId: 'old', reason: 'nodeUnschedulable' });
  });

  test('from a node that Slurm cannot reach nothing is restored: its processes may still run', () => {
    const scene = sceneWithReady();
    scene.node(['NOT_RESPONDING'], { base: 'DOWN' });
    scene.job(1, { state: 'NODE_FAIL' });
    expect(scene.sent.filter(({ kind }) => kind === 'restore')).toEqual([]);
    expect(scene.noted('job-lost')).toMatchObject([{ level: 'error', details: { action_id: 'old' } }]);
  });

  test('nothing ready: lost, loudly', () => {
    const scene = new Scene();
    scene.job(1);
    scene.resume();
    scene.job(1, { state: 'NODE_FAIL' });
    expect(scene.noted('job-lost')).toHaveLength(1);
    expect(scene.state.jobs.size).toBe(0);
  });

  test('a run that only its Prolog told of is lost as loudly', () => {
    const scene = new Scene();
    scene.resume();
    scene.send({ type: 'prolog', at: scene.now, jobId: 1, restarts: 0, override: {} });
    scene.job(1, { state: 'NODE_FAIL' });
    expect(scene.noted('job-lost')).toHaveLength(1);
  });

  test('as many restores at once as there are places', () => {
    const scene = new Scene(policyOf({ heartbeatConcurrency: 9, restore: { concurrency: 2 } }));
    for (let jobId = 1; jobId <= 5; jobId++) scene.job(jobId);
    scene.resume();
    scene.pass(15 * MINUTE);
    for (let jobId = 1; jobId <= 5; jobId++) scene.checkpointReady(`a${jobId}`, jobId);
    for (let jobId = 1; jobId <= 5; jobId++) scene.job(jobId, { state: 'NODE_FAIL' });
    expect(scene.opened('restore')).toHaveLength(2);
    for (let left = 5; left > 0; left--) {
      const effect = scene.opened('restore')[0]!;
      scene.send({ type: 'settled', at: scene.now, effect, outcome: restored });
      scene.settle('end-source', DONE);
    }
    expect(scene.asked('restore')).toHaveLength(5);
    expect(scene.state.jobs.size).toBe(0);
  });
});

describe('the job is requeued', () => {
  const requeued = { restarts: 1, submitAt: T0 + 20 * MINUTE };

  test('the next run here keeps the chain’s checkpoint and what the user asked for', () => {
    const scene = sceneWithReady();
    scene.send({ type: 'prolog', at: scene.now, jobId: 1, restarts: 0, override: { kind: 'rootfs' } });
    scene.job(1, requeued);
    expect(scene.record(1)).toMatchObject({
      restarts: 1,
      ready: { actionId: 'old' },
      override: { kind: 'rootfs' },
    });
  });

  test('its submit time is reset when the old run is off the node: still the same run', () => {
    const scene = sceneWithReady();
    scene.job(1, { restarts: 1, state: 'COMPLETING' });
    scene.job(1, { ...requeued, startAt: scene.now });
    expect(scene.record(1)).toMatchObject({ restarts: 1, ready: { actionId: 'old' } });
    expect(scene.noted('run-ended')).toMatchObject([{ message: 'the run ended: the job was requeued' }]);
  });

  test('an answer for the run before changes nothing of this one', () => {
    const scene = new Scene();
    scene.job(1);
    scene.pass(15 * MINUTE);
    scene.job(1, requeued);
    scene.settle('checkpoint', { type: 'accepted', actionId: 'a' });
    expect(scene.record(1)).toMatchObject({ checkpoint: null, ready: null });
    expect(scene.open.size).toBe(0);
    scene.pass(HOURS);
    expect(scene.opened('checkpoint')).toHaveLength(1);
  });
  const HOURS = 120 * MINUTE;

  test('late word on the run before changes nothing', () => {
    const scene = new Scene();
    scene.job(1, requeued);
    scene.job(1, { state: 'COMPLETED' });
    expect(scene.record(1)).toMatchObject({ restarts: 1, endedAs: null });
  });

  test.each(['queued', 'guard', 'checkpoint', 'restore', 'end-source'] as const)(
    'on its way (%s), pending: what was guarded is given back, and nothing more is sent for the old run',
    (step) => {
      const scene = at(step);
      const before = scene.asked('restore').length;
      scene.job(1, { ...requeued, state: 'PENDING', batchHost: null, nodes: [], startAt: null });
      for (const effect of [...scene.open.values()]) {
        if (effect.kind !== 'guard') {
          scene.send({ type: 'settled', at: scene.now, effect, outcome: stale('PENDING') });
        }
      }
      expect(scene.asked('restore')).toHaveLength(before);
      expect(scene.state.jobs.size).toBe(0);
      const guards = scene.asked('guard');
      if (step === 'guard' || step === 'checkpoint') {
        expect(guards.at(-1)).toMatchObject({ requeue: true, restarts: 1 });
      }
    },
  );

  test('the Prolog of the next run ends the plan of the one before', () => {
    const scene = at('checkpoint');
    scene.send({ type: 'prolog', at: scene.now, jobId: 1, restarts: 1, override: {} });
    expect(scene.asked('guard').at(-1)).toMatchObject({ requeue: true, restarts: 1 });
    expect(scene.record(1)).toMatchObject({ restarts: 1, plan: null, ready: { actionId: 'old' } });
  });

  test.each(['restore', 'end-source'] as const)(
    'while its restore is under way (%s): two copies may come, loudly',
    (step) => {
      const scene = at(step);
      scene.job(1, requeued);
      expect(scene.noted('source-remains')).toMatchObject([{ level: 'error', jobId: 1 }]);
    },
  );

  test('by the engine’s restore: that is what was wanted', () => {
    const scene = sceneWithReady(policyOf({ restore: { sourceJob: 'leave', finalCheckpoint: false } }));
    scene.drain();
    scene.job(1, { ...requeued, state: 'PENDING', batchHost: null, nodes: [] });
    scene.settle('restore', restored);
    expect(scene.notes.filter(({ level }) => level === 'error')).toEqual([]);
    expect(scene.noted('restored')).toHaveLength(1);
  });
});

describe('the job is renamed', () => {
  test('while it runs: its checkpoint stays, and is restored from', () => {
    const scene = sceneWithReady(policyOf({ restore: { finalCheckpoint: false } }));
    scene.job(1, { name: 'renamed' });
    expect(scene.record(1)).toMatchObject({ facts: { name: 'renamed' }, ready: { actionId: 'old' } });
    scene.drain();
    scene.settle('guard', DONE);
    expect(scene.only('restore')).toMatchObject({ actionId: 'old' });
  });

  test('and requeued later: the next run keeps the checkpoint', () => {
    const scene = sceneWithReady();
    scene.job(1, { name: 'renamed' });
    scene.job(1, { name: 'renamed', restarts: 1, submitAt: T0 + 20 * MINUTE });
    expect(scene.record(1)).toMatchObject({ restarts: 1, ready: { actionId: 'old' } });
  });

  test('while it is on its way: the plan goes on', () => {
    const scene = at('checkpoint');
    scene.job(1, { name: 'renamed' });
    scene.settle('checkpoint', AWAY);
    expect(scene.only('restore')).toMatchObject({ actionId: 'old' });
  });

  test('late word on the run before has the old name, and changes nothing', () => {
    const scene = sceneWithReady();
    scene.job(1, { name: 'renamed' });
    scene.job(1, { name: 'renamed', restarts: 1, submitAt: T0 + 20 * MINUTE });
    scene.job(1);
    expect(scene.record(1)).toMatchObject({ restarts: 1, ready: { actionId: 'old' } });
  });

  test('and requeued before it was looked at again: its checkpoint is let go, and said', () => {
    const scene = sceneWithReady();
    scene.job(1, { name: 'renamed', restarts: 1, submitAt: T0 + 20 * MINUTE });
    expect(scene.record(1).ready).toBeNull();
    expect(scene.noted('run-ended')).toMatchObject([{ level: 'warn', details: { action_id: 'old' } }]);
  });
});

describe('the job id comes back', () => {
  test.each([
    { what: 'another user', facts: { uid: 1001, user: 'bob', submitAt: T0 + 1 } },
    { what: 'another name', facts: { name: 'other', submitAt: T0 + 1 } },
    { what: 'another name, restarted', facts: { name: 'other', submitAt: T0 + 1, restarts: 3 } },
    { what: 'the same user and name, submitted later', facts: { submitAt: T0 + 1 } },
    { what: 'another user, restarted', facts: { uid: 1001, user: 'bob', submitAt: T0 + 1, restarts: 3 } },
  ])('$what: the old checkpoint is not its own', ({ facts }) => {
    const scene = sceneWithReady();
    scene.job(1, { ...facts, startAt: scene.now });
    expect(scene.record(1).ready).toBeNull();
    scene.drain();
    scene.settle('guard', DONE);
    scene.settle('checkpoint', AWAY);
    expect(scene.asked('restore')).toEqual([]);
  });

  test.each(['guard', 'checkpoint'] as const)(
    'on its way (%s): the new job keeps its own `Requeue`',
    (step) => {
      const scene = at(step);
      scene.settle(step, step === 'guard' ? DONE : AWAY);
      const before = scene.asked('guard').length;
      scene.job(1, { uid: 1001, submitAt: T0 + MINUTE, requeue: false, startAt: scene.now });
      expect(scene.asked('guard').slice(before)).toEqual([]);
    },
  );

  test('with a lower restart count, submitted later: it is another job, not late word', () => {
    const scene = sceneWithReady(policyOf(), { restarts: 2 });
    scene.job(1, { restarts: 0, submitAt: T0 + MINUTE });
    expect(scene.record(1)).toMatchObject({ restarts: 0, ready: null });
  });

  test('first told of by its Prolog, and its node fails: no old checkpoint is restored', () => {
    const scene = sceneWithReady();
    scene.resume();
    scene.epilog(1);
    scene.send({ type: 'prolog', at: scene.now, jobId: 1, restarts: 0, override: {} });
    scene.job(1, { uid: 1001, submitAt: T0 + MINUTE, state: 'NODE_FAIL' });
    expect(scene.asked('restore')).toEqual([]);
  });

  test('a checkpoint under way for the old job does not become the new one’s', () => {
    const scene = new Scene();
    scene.job(1);
    scene.pass(15 * MINUTE);
    scene.settle('checkpoint', { type: 'accepted', actionId: 'a' });
    scene.job(1, { uid: 1001, submitAt: scene.now });
    scene.settle('await-ready', { type: 'ready', readyAt: scene.now });
    expect(scene.record(1)).toMatchObject({ ready: null, checkpoint: null });
  });
});
