import { describe, expect, test } from 'vitest';
import { decide } from '../../../daemon/decide/decide.ts';
import {
  HOUR,
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
const AWAY = { type: 'unavailable', message: 'nobody answered' } as const;
const NO = { type: 'refused', status: 422, message: 'no such checkpoint' } as const;
const restored = (actionId: string | null = 'new') => ({ type: 'restored', actionId }) as const;

describe('the way of a plan', () => {
  test('guard, final checkpoint, ready, restore, the source ends: one after the other', () => {
    const scene = new Scene();
    scene.job(1);
    scene.pass(5 * MINUTE);
    scene.drain();
    expect(scene.only('guard')).toMatchObject({ requeue: false, expiresAt: scene.state.clock + 30 * SECOND });
    expect(scene.kinds()).toEqual(['guard']);
    scene.settle('guard', DONE);
    expect(scene.only('checkpoint')).toMatchObject({ reason: 'manual' });
    scene.settle('checkpoint', { type: 'accepted', actionId: 'a' });
    expect(scene.kinds()).toEqual(['await-ready']);
    scene.settle('await-ready', { type: 'ready', readyAt: scene.now });
    expect(scene.only('restore')).toMatchObject({ actionId: 'a', reason: 'nodeUnschedulable', newJob: true });
    expect(scene.kinds()).toEqual(['restore']);
    scene.settle('restore', restored());
    expect(scene.only('end-source')).toMatchObject({ jobId: 1, restarts: 0 });
    scene.settle('end-source', DONE);
    expect(scene.step(1)).toBe('done');
    expect(scene.open.size).toBe(0);
    expect(scene.notes.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('`source_job: leave`: no guard, nothing to end, the job is requeued', () => {
    const scene = new Scene(policyOf({ restore: { sourceJob: 'leave' } }));
    scene.job(1);
    scene.drain();
    scene.checkpointReady('a', 1);
    expect(scene.only('restore')).toMatchObject({ newJob: false });
    scene.settle('restore', restored());
    expect(scene.kinds()).toEqual([]);
    expect(scene.step(1)).toBe('done');
  });

  test('a job that Slurm does not requeue needs no guard', () => {
    const scene = new Scene();
    scene.job(1, { requeue: false });
    scene.drain();
    expect(scene.kinds()).toEqual(['checkpoint']);
  });

  test('`final_checkpoint: false`: straight to the newest ready one', () => {
    const scene = sceneWithReady(policyOf({ restore: { finalCheckpoint: false } }));
    scene.drain();
    scene.settle('guard', DONE);
    expect(scene.only('restore')).toMatchObject({ actionId: 'old' });
  });

  test('a heartbeat under way is waited for instead', () => {
    const scene = new Scene();
    scene.job(1);
    scene.pass(15 * MINUTE);
    scene.drain();
    scene.settle('guard', DONE);
    expect(scene.asked('checkpoint')).toHaveLength(1);
    scene.checkpointReady('beat', 1);
    expect(scene.only('restore')).toMatchObject({ actionId: 'beat' });
  });

  test('the final checkpoint fails: the older one is restored', () => {
    const scene = sceneWithReady();
    scene.drain();
    scene.settle('guard', DONE);
    scene.settle('checkpoint', AWAY);
    expect(scene.only('restore')).toMatchObject({ actionId: 'old' });
  });

  test('the final checkpoint takes too long: the older one is restored, once', () => {
    const scene = sceneWithReady();
    scene.drain();
    scene.settle('guard', DONE);
    scene.settle('checkpoint', { type: 'accepted', actionId: 'slow' });
    scene.pass(MINUTE + SECOND);
    expect(scene.only('restore')).toMatchObject({ actionId: 'old' });
    scene.settle('await-ready', { type: 'ready', readyAt: scene.now });
    expect(scene.asked('restore')).toHaveLength(1);
  });

  test('a job whose checkpoints take long gets five times as long', () => {
    const scene = new Scene();
    scene.job(1);
    scene.pass(15 * MINUTE);
    scene.checkpointReady('old', 1, 2 * MINUTE);
    scene.drain();
    scene.settle('guard', DONE);
    scene.pass(9 * MINUTE);
    expect(scene.opened('restore')).toEqual([]);
    scene.pass(MINUTE + SECOND);
    expect(scene.only('restore')).toMatchObject({ actionId: 'old' });
  });

  test('with nothing to restore from, the final checkpoint has all the time it needs', () => {
    const scene = new Scene();
    scene.job(1);
    scene.drain();
    scene.settle('guard', DONE);
    scene.pass(HOUR);
    expect(scene.step(1)).toBe('checkpoint');
  });

  test('a job that could not be checkpointed lately is not asked for a final one', () => {
    const scene = sceneWithReady();
    scene.pass(15 * MINUTE);
    scene.settle('checkpoint', { type: 'not-checkpointable', message: 'no' });
    scene.drain();
    scene.settle('guard', DONE);
    expect(scene.only('restore')).toMatchObject({ actionId: 'old' });
  });

  test('without a guard the restore goes on, and says so', () => {
    const scene = sceneWithReady();
    scene.drain();
    scene.settle('guard', AWAY);
    expect(scene.noted('guard-failed')).toHaveLength(1);
    expect(scene.step(1)).toBe('checkpoint');
  });

  test('the old run cannot be ended: two copies are an error', () => {
    const scene = sceneWithReady(policyOf({ restore: { finalCheckpoint: false } }));
    scene.drain();
    scene.settle('guard', DONE);
    scene.settle('restore', restored());
    scene.settle('end-source', NO);
    expect(scene.noted('source-remains')).toMatchObject([{ level: 'error' }]);
    expect(scene.opened('guard')).toEqual([]);
  });

  test.each([NO, AWAY])('the restore fails ($type): loud, and Slurm may requeue the job again', (outcome) => {
    const scene = sceneWithReady(policyOf({ restore: { finalCheckpoint: false } }));
    scene.drain();
    scene.settle('guard', DONE);
    scene.settle('restore', outcome);
    expect(scene.step(1)).toBe('failed');
    expect(scene.noted('job-in-danger')).toMatchObject([{ level: 'error', jobId: 1 }]);
    expect(scene.only('guard')).toMatchObject({ requeue: true });
    scene.settle('guard', DONE);
    scene.drain();
    expect(scene.open.size).toBe(0);
  });
});

describe('nothing to restore from', () => {
  const stranded = (policy = policyOf()) => {
    const scene = new Scene(policy);
    scene.job(1);
    scene.pass(5 * MINUTE);
    scene.drain();
    scene.settle('guard', DONE);
    scene.settle('checkpoint', AWAY);
    return scene;
  };

  test('the job is in danger, loudly and once', () => {
    const scene = stranded();
    expect(scene.step(1)).toBe('stranded');
    scene.drain();
    scene.pass(5 * MINUTE);
    expect(scene.noted('job-in-danger')).toMatchObject([{ level: 'error', jobId: 1 }]);
  });

  test('Slurm may requeue it meanwhile: from the beginning is better than not at all', () => {
    expect(stranded().only('guard')).toMatchObject({ requeue: true });
  });

  test('the next heartbeat that becomes ready carries the plan on, guarded', () => {
    const scene = stranded();
    scene.settle('guard', DONE);
    scene.pass(10 * MINUTE);
    scene.checkpointReady('late', 1);
    expect(scene.only('guard')).toMatchObject({ requeue: false });
    scene.settle('guard', DONE);
    expect(scene.only('restore')).toMatchObject({ actionId: 'late', reason: 'nodeUnschedulable' });
    scene.settle('restore', restored());
    expect(scene.asked('restore')).toHaveLength(1);
  });

  test('carried on, it takes its place among the others', () => {
    const scene = new Scene(policyOf({ restore: { concurrency: 1 } }));
    scene.job(1);
    scene.job(2);
    scene.drain();
    scene.settle('guard', DONE);
    const first = scene.opened('checkpoint')[0]!.jobId;
    scene.settle('checkpoint', AWAY);
    scene.pass(15 * MINUTE);
    for (const { jobId } of scene.opened('checkpoint')) scene.checkpointReady(`a${jobId}`, jobId);
    const busy = [...scene.state.jobs.values()].filter(({ plan }) =>
      ['guard', 'checkpoint', 'restore', 'end-source'].includes(plan?.step ?? ''),
    );
    expect(first).toBeDefined();
    expect(busy).toHaveLength(1);
  });
});

describe('which nodes go away', () => {
  test.each([
    { flags: ['DRAIN'], reason: 'nodeUnschedulable' },
    { flags: ['FAIL'], reason: 'nodeUnschedulable' },
    { flags: ['CLOUD', 'POWERING_DOWN'], reason: 'nodeTermination' },
    { flags: ['POWER_DOWN'], reason: 'nodeTermination' },
    { flags: ['DRAIN', 'POWERED_DOWN'], reason: 'nodeTermination' },
    { flags: ['REBOOT_ISSUED'], reason: 'nodeTermination' },
    { flags: ['DRAIN', 'REBOOT_REQUESTED'], reason: 'nodeUnschedulable' },
    { flags: ['REBOOT_REQUESTED'], reason: null },
    { flags: ['NOT_RESPONDING'], reason: null },
    { flags: ['MAINTENANCE', 'RESERVED'], reason: null },
    { flags: [], reason: null },
  ])('$flags: $reason', ({ flags, reason }) => {
    const scene = sceneWithReady(policyOf({ restore: { finalCheckpoint: false } }));
    scene.node(flags);
    if (reason === null) return expect(scene.state.nodes.get(NODE)?.awaySince).toBeNull();
    scene.settle('guard', DONE);
    expect(scene.only('restore')).toMatchObject({ reason });
  });

  test('a drain for a reason to be skipped is outlived; one for another reason is not', () => {
    const scene = new Scene(policyOf({ restore: { skipReasons: [/^maintenance/] } }));
    scene.job(1);
    scene.node(['DRAIN'], { reason: 'maintenance at noon' });
    expect(scene.sent).toEqual([]);
    scene.node(['DRAIN'], { reason: 'bad disk' });
    expect(scene.kinds()).toEqual(['guard']);
  });

  test('`on_drain: false` leaves drains alone, not terminations', () => {
    const scene = new Scene(policyOf({ restore: { onDrain: false } }));
    scene.job(1);
    scene.drain();
    expect(scene.sent).toEqual([]);
    scene.node(['DRAIN', 'POWER_DOWN']);
    expect(scene.kinds()).toEqual(['guard']);
  });

  test('a stale reason without a drain is none', () => {
    const scene = new Scene();
    scene.job(1);
    scene.node([], { reason: 'drained last week' });
    expect(scene.sent).toEqual([]);
  });

  test('a configuration that no longer wants it takes the plans back', () => {
    const scene = new Scene();
    scene.job(1);
    scene.drain();
    scene.settle('guard', DONE);
    scene.policy = policyOf({ restore: { onDrain: false } });
    scene.started();
    expect(scene.step(1)).toBeNull();
    expect(scene.only('guard')).toMatchObject({ requeue: true });
  });

  test('so does one that leaves the job alone', () => {
    const scene = new Scene();
    scene.job(1);
    scene.drain();
    scene.settle('guard', DONE);
    scene.policy = policyOf({ rules: [ruleOf({ enabled: false })] });
    scene.started();
    expect(scene.step(1)).toBeNull();
    expect(scene.only('guard')).toMatchObject({ requeue: true });
  });
});

describe('places', () => {
  test('as many plans at once as places, the largest unsaved work first', () => {
    const scene = new Scene(policyOf({ restore: { concurrency: 2 } }));
    for (const [jobId, cpus] of [
      [1, 1],
      [2, 8],
      [3, 4],
    ] as const)
      scene.job(jobId, { cpus });
    scene.pass(5 * MINUTE);
    scene.drain();
    expect(scene.opened('guard').map(({ jobId }) => jobId)).toEqual([2, 3]);
    expect(scene.step(1)).toBe('queued');
    scene.settle('guard', DONE, 2);
    scene.checkpointReady('a', 2);
    expect(scene.opened('guard', 1)).toEqual([]);
    scene.settle('restore', restored(), 2);
    // The end of its old run may have to wait for slurmctld, and nobody waits for that.
    expect(scene.opened('end-source', 2)).toHaveLength(1);
    expect(scene.opened('guard', 1)).toHaveLength(1);
  });
});

describe('several nodes', () => {
  const two = () => {
    const scene = new Scene();
    scene.job(1, { nodes: ['n1', 'n2'] });
    scene.resume('n1');
    scene.resume('n2');
    return scene;
  };

  test('the second node goes as well: one restore', () => {
    const scene = two();
    scene.drain('n2');
    scene.settle('guard', DONE);
    scene.drain('n1');
    scene.checkpointReady('a', 1);
    scene.settle('restore', restored());
    scene.settle('end-source', DONE);
    scene.drain('n2');
    expect(scene.asked('restore')).toHaveLength(1);
    expect(scene.asked('checkpoint')).toHaveLength(1);
  });

  test('one of two leaving nodes is back: the plan goes on for the other', () => {
    const scene = two();
    scene.drain('n2');
    scene.drain('n1');
    scene.settle('guard', DONE);
    scene.resume('n2');
    expect(scene.step(1)).toBe('checkpoint');
    scene.resume('n1');
    expect(scene.step(1)).toBeNull();
  });
});

describe('the drain is lifted', () => {
  test('while queued', () => {
    const scene = new Scene(policyOf({ restore: { concurrency: 0 } }));
    scene.job(1);
    scene.drain();
    scene.resume();
    expect(scene.step(1)).toBeNull();
    expect(scene.sent).toEqual([]);
  });

  test('during the guard: it is recalled, and given back should it be too late for that', () => {
    const scene = new Scene();
    scene.job(1);
    scene.drain();
    const { id } = scene.only('guard');
    scene.resume();
    expect(scene.recalled).toContain(id);
    expect(scene.asked('guard').at(-1)).toMatchObject({ requeue: true });
  });

  test('during the checkpoint: Slurm may requeue again, the checkpoint is kept', () => {
    const scene = new Scene();
    scene.job(1);
    scene.drain();
    scene.settle('guard', DONE);
    scene.resume();
    expect(scene.only('guard')).toMatchObject({ requeue: true });
    scene.checkpointReady('a', 1);
    expect(scene.record(1).ready).toMatchObject({ actionId: 'a' });
    expect(scene.asked('restore')).toEqual([]);
  });

  const restoring = () => {
    const scene = sceneWithReady(policyOf({ restore: { finalCheckpoint: false } }));
    scene.drain();
    scene.settle('guard', DONE);
    scene.resume();
    return scene;
  };

  test('before the restore was sent: it is recalled, and Slurm may requeue again', () => {
    const scene = restoring();
    expect(scene.recalled).toEqual([scene.only('restore').id]);
    scene.settle('restore', { type: 'recalled' });
    expect(scene.step(1)).toBeNull();
    expect(scene.only('guard')).toMatchObject({ requeue: true });
  });

  test('after it was sent: the source ends, and the guard stays', () => {
    const scene = restoring();
    scene.settle('restore', restored());
    expect(scene.kinds()).toEqual(['end-source']);
    scene.settle('end-source', DONE);
    expect(scene.step(1)).toBe('done');
  });

  test('and drained again: a new episode', () => {
    const scene = restoring();
    scene.settle('restore', { type: 'recalled' });
    scene.settle('guard', DONE);
    scene.now += MINUTE;
    scene.drain();
    scene.settle('guard', DONE);
    expect(scene.asked('restore')).toHaveLength(2);
    scene.settle('restore', restored());
    scene.settle('end-source', DONE);
    scene.resume();
    scene.drain();
    expect(scene.asked('restore')).toHaveLength(2);
  });

  test('and drained again before the recall was answered: still carried out, once', () => {
    const scene = restoring();
    scene.drain();
    scene.settle('restore', { type: 'recalled' });
    expect(scene.step(1)).toBe('guard');
    for (const effect of scene.opened('guard')) {
      scene.send({ type: 'settled', at: scene.now, effect, outcome: DONE });
    }
    expect(scene.opened('restore')).toHaveLength(1);
  });

  test('what failed is tried again in the next episode only', () => {
    const scene = sceneWithReady(policyOf({ restore: { finalCheckpoint: false } }));
    scene.drain();
    scene.settle('guard', DONE);
    scene.settle('restore', NO);
    scene.settle('guard', DONE);
    scene.drain();
    expect(scene.open.size).toBe(0);
    scene.resume();
    scene.drain();
    expect(scene.only('guard')).toMatchObject({ requeue: false });
  });

  test('a guard of ours that a poll shows is not taken for the user’s own wish', () => {
    const scene = sceneWithReady(policyOf({ restore: { finalCheckpoint: false } }));
    scene.drain();
    scene.settle('guard', DONE);
    scene.job(1, { requeue: false });
    scene.settle('restore', NO);
    scene.job(1, { requeue: false });
    scene.settle('guard', DONE);
    scene.resume();
    scene.drain();
    expect(scene.only('guard')).toMatchObject({ requeue: false });
  });

  test('nor is one that a late look shows while it is given back, or after', () => {
    const scene = sceneWithReady(policyOf({ restore: { finalCheckpoint: false } }));
    scene.drain();
    scene.settle('guard', DONE);
    scene.settle('restore', NO);
    scene.job(1, { requeue: false });
    scene.settle('guard', DONE);
    scene.job(1, { requeue: false });
    scene.resume();
    scene.drain();
    expect(scene.only('guard')).toMatchObject({ requeue: false });
  });

  test('a user’s own wish counts once Slurm has shown the guard to be off', () => {
    const scene = sceneWithReady(policyOf({ restore: { finalCheckpoint: false } }));
    scene.drain();
    scene.settle('guard', DONE);
    scene.settle('restore', NO);
    scene.settle('guard', DONE);
    scene.job(1, { requeue: true });
    scene.job(1, { requeue: false });
    scene.resume();
    scene.drain();
    expect(scene.opened('guard')).toEqual([]);
  });
});

describe('the run is not there to be moved', () => {
  test.each(['guard', 'restore'] as const)(
    '%s, though Slurm said that it runs: it fails, and is not tried for ever',
    (step) => {
      const scene = sceneWithReady(policyOf({ restore: { finalCheckpoint: false } }));
      scene.drain();
      if (step === 'restore') scene.settle('guard', DONE);
      scene.settle(step, { type: 'stale', state: 'RUNNING', message: 'job 1 is at run 1' });
      expect(scene.step(1)).toBe('failed');
      expect(scene.noted('job-in-danger')).toHaveLength(1);
    },
  );

  test('a manual restore failed, the clock was set back: the next drain counts all the same', () => {
    const scene = sceneWithReady();
    scene.askRestore(1, 'named');
    scene.settle('guard', DONE);
    scene.settle('restore', NO);
    scene.settle('guard', DONE);
    scene.now -= HOUR;
    scene.started();
    scene.drain();
    expect(scene.step(1)).toBe('guard');
  });

  test('drained again while the guard of the last plan is still to be given back', () => {
    const scene = sceneWithReady(policyOf({ restore: { finalCheckpoint: false } }));
    scene.drain();
    scene.settle('guard', DONE);
    scene.job(1, { requeue: false });
    scene.resume();
    scene.job(1, { requeue: false });
    scene.settle('restore', { type: 'recalled' });
    expect(scene.asked('guard').map(({ requeue }) => requeue)).toEqual([false, true]);
    scene.drain();
    expect(scene.asked('guard').map(({ requeue }) => requeue)).toEqual([false, true, false]);
  });
});

describe('a deadline', () => {
  const planned = (deadline: number, tookMs: number | null) => {
    const scene = tookMs === null ? new Scene() : sceneWithReady();
    if (tookMs === null) scene.job(1);
    const job = scene.record(1);
    const ready = job.ready && { ...job.ready, tookMs: tookMs ?? 0 };
    scene.state = { ...scene.state, jobs: new Map([[1, { ...job, ready }]]) };
    scene.terminate(deadline);
    scene.settle('guard', DONE);
    return scene;
  };

  test.each([
    { deadline: 20, took: 10, asks: 'checkpoint' },
    { deadline: 19.1, took: 10, asks: 'checkpoint' },
    { deadline: 18.9, took: 10, asks: 'restore' },
    { deadline: 120, took: 90, asks: 'restore' },
    { deadline: 120, took: 77, asks: 'checkpoint' },
    { deadline: 1, took: null, asks: 'checkpoint' },
  ])('$deadline s left, the last one took $took s: $asks', ({ deadline, took, asks }) => {
    const scene = planned(deadline * SECOND, took === null ? null : took * SECOND);
    if (asks === 'checkpoint' && deadline > 2) {
      expect(scene.only('checkpoint')).toMatchObject({ reason: 'manual' });
    } else expect(scene.opened(asks as 'restore')).toHaveLength(1);
  });

  test('the final checkpoint is waited for until two seconds before it', () => {
    const scene = planned(60 * SECOND, 10 * SECOND);
    scene.settle('checkpoint', { type: 'accepted', actionId: 'slow' });
    scene.pass(57 * SECOND);
    expect(scene.opened('restore')).toEqual([]);
    scene.pass(2 * SECOND);
    expect(scene.only('restore')).toMatchObject({ actionId: 'old' });
  });

  test('with nothing to restore from, a checkpoint that becomes ready at the last moment still counts', () => {
    const scene = planned(5 * SECOND, null);
    scene.settle('checkpoint', { type: 'accepted', actionId: 'slow' });
    scene.pass(4 * SECOND);
    expect(scene.step(1)).toBe('stranded');
    scene.settle('await-ready', { type: 'ready', readyAt: scene.now });
    expect(['guard', 'restore']).toContain(scene.step(1));
  });

  test('the deadline of a plan in the queue can have passed: no hot loop, a final checkpoint only where there is none', () => {
    const scene = sceneWithReady(policyOf({ restore: { sourceJob: 'leave', concurrency: 0 } }));
    scene.drain();
    const job = scene.record(1);
    for (const [left, ready] of [
      [-MINUTE, job.ready],
      [SECOND, null],
      [-SECOND, null],
    ] as const) {
      const deadline = scene.state.clock + left;
      const plan = { ...job.plan!, deadline, reason: 'nodeTermination' as const };
      const notice = noticeOf({ deadline });
      const notices = new Map([[notice.id, { notice, seenAt: scene.state.clock, waiting: [] }]]);
      const jobs = new Map([[1, { ...job, ready, plan }]]);
      const policy = policyOf({ drainNode: false, restore: { sourceJob: 'leave' } });
      const at = scene.state.clock + 1;
      const { effects, wakeAt } = decide({ ...scene.state, jobs, notices }, { type: 'tick', at }, policy);
      expect(wakeAt ?? Number.POSITIVE_INFINITY).toBeGreaterThan(at);
      expect(effects.map(({ kind }) => kind)).toEqual(ready ? ['restore'] : ['checkpoint']);
    }
  });
});

test('suspended and completing jobs are left alone, and evacuated once they run again', () => {
  const scene = new Scene(policyOf({ rules: [ruleOf({ heartbeat: heartbeatOf() })] }));
  scene.job(1, { state: 'SUSPENDED' });
  scene.job(2, { state: 'COMPLETING' });
  scene.drain();
  expect(scene.sent).toEqual([]);
  scene.job(1);
  expect(scene.opened('guard', 1)).toHaveLength(1);
  expect(scene.now).toBe(T0);
});

test('a job that is suspended on its way stays, unguarded, and leaves once it runs again', () => {
  const scene = new Scene();
  scene.job(1);
  scene.drain();
  scene.settle('guard', DONE);
  scene.job(1, { state: 'SUSPENDED' });
  expect(scene.step(1)).toBeNull();
  expect(scene.only('guard')).toMatchObject({ requeue: true });
  scene.settle('guard', DONE);
  scene.job(1);
  expect(scene.step(1)).toBe('guard');
});

test('a drained node that was seen before its job', () => {
  const scene = new Scene();
  scene.drain();
  scene.job(1);
  expect(scene.kinds()).toEqual(['guard']);
});
