import { expect, test } from 'vitest';
import { splayOf } from '../../../daemon/decide/checkpoints/heartbeat.ts';
import { HOUR, heartbeatOf, MINUTE, policyOf, ruleOf, Scene, SECOND, T0 } from '../scene.ts';

const CRON = '*/15 * * * *';
const withRule = (fields: Parameters<typeof heartbeatOf>[0], concurrency = 2) =>
  policyOf({ rules: [ruleOf({ heartbeat: heartbeatOf(fields) })], heartbeatConcurrency: concurrency });

test('`every` counts from the start of the job, and a splay moves all of it', () => {
  const scene = new Scene(withRule({ splay: 5 * MINUTE }));
  scene.now = T0 + 100 * MINUTE;
  scene.job(1);
  const first = T0 + 15 * MINUTE + splayOf(1, 5 * MINUTE);
  expect(((scene.wakeAt ?? 0) - first) % (15 * MINUTE)).toBe(0);
  expect(scene.wakeAt).toBeGreaterThan(scene.now);
  expect(scene.wakeAt).toBeLessThanOrEqual(scene.now + 15 * MINUTE);
});

test('a splay wider than the period is cut to it', () => {
  const scene = new Scene(withRule({ trigger: { every: MINUTE }, splay: HOUR }));
  scene.job(1);
  expect(scene.wakeAt).toBeLessThan(T0 + 2 * MINUTE);
});

test('a heartbeat says what it is', () => {
  const scene = new Scene(withRule({ kind: 'rootfs' }));
  scene.job(1);
  scene.pass(15 * MINUTE);
  expect(scene.asked('checkpoint')).toMatchObject([
    { reason: 'heartbeat', checkpointKind: 'rootfs', jobId: 1, restarts: 0, jobName: 'train' },
  ]);
});

test('a job younger than min_age gets none, and its first one at the next due time', () => {
  const scene = new Scene(withRule({ minAge: 20 * MINUTE }));
  scene.job(1);
  scene.pass(29 * MINUTE);
  expect(scene.sent).toEqual([]);
  scene.pass(MINUTE);
  expect(scene.kinds()).toEqual(['checkpoint']);
});

test('a cron slot makes a job due at its place in the splay', () => {
  const scene = new Scene(withRule({ trigger: { cron: CRON }, splay: 5 * MINUTE }));
  scene.job(1);
  scene.now += HOUR;
  scene.slot('1 2 3 4 5');
  expect(scene.wakeAt).toBeNull();
  scene.slot(CRON);
  expect(scene.wakeAt).toBe(T0 + HOUR + splayOf(1, 5 * MINUTE));
  scene.pass(5 * MINUTE);
  expect(scene.kinds()).toEqual(['checkpoint']);
});

test('the same cron slot again is none', () => {
  const scene = new Scene(withRule({ trigger: { cron: CRON } }));
  scene.job(1);
  scene.now += HOUR;
  scene.slot(CRON);
  scene.checkpointReady('a', 1, 0);
  scene.send({ type: 'slot', at: T0 + HOUR, schedule: CRON });
  expect(scene.kinds()).toEqual([]);
});

test('no more than `concurrency` at once, the largest unsaved work first', () => {
  const scene = new Scene(withRule({}, 2));
  for (const [jobId, cpus] of [
    [1, 1],
    [2, 8],
    [3, 4],
    [4, 2],
  ] as const)
    scene.job(jobId, { cpus });
  scene.pass(15 * MINUTE);
  expect(scene.asked('checkpoint').map(({ jobId }) => jobId)).toEqual([2, 3]);
  scene.checkpointReady('a', 2);
  expect(scene.opened('checkpoint').map(({ jobId }) => jobId)).toEqual([3, 4]);
  scene.checkpointReady('b', 3);
  expect(scene.opened('checkpoint').map(({ jobId }) => jobId)).toEqual([4, 1]);
});

test('one that found no place is dropped and counted when the next is due', () => {
  const scene = new Scene(withRule({}, 1));
  scene.job(1, { cpus: 8 });
  scene.job(2);
  scene.pass(30 * MINUTE);
  expect(scene.kinds()).toEqual(['checkpoint']);
  expect(scene.noted('heartbeat-dropped').map(({ jobId }) => jobId)).toEqual([1, 2]);
  expect(scene.record(2).heartbeat.waiting).toBe(true);
});

test('one whose predecessor is under way is dropped and counted', () => {
  const scene = new Scene();
  scene.job(1);
  scene.pass(45 * MINUTE);
  expect(scene.asked('checkpoint')).toHaveLength(1);
  expect(scene.noted('heartbeat-dropped')).toHaveLength(2);
});

test('nothing to checkpoint: the time to the next try doubles, up to 64 periods, until one is ready', () => {
  const scene = new Scene();
  scene.job(1);
  const tries: number[] = [];
  for (let period = 1; period <= 300; period++) {
    scene.pass(15 * MINUTE);
    if (scene.opened('checkpoint').length === 0) continue;
    tries.push(period);
    if (period < 250)
      scene.settle('checkpoint', { type: 'not-checkpointable', message: 'no such container' });
    else scene.checkpointReady('a', 1, 0);
  }
  const gaps = tries.slice(1).map((at, i) => at - (tries[i] ?? 0));
  expect(gaps.slice(0, 7)).toEqual([2, 4, 8, 16, 32, 64, 64]);
  expect(gaps.slice(7).every((gap) => gap === 64 || gap === 1)).toBe(true);
  expect(gaps.at(-1)).toBe(1);
});

test('a refusal is backed off from like nothing to checkpoint', () => {
  const scene = new Scene();
  scene.job(1);
  scene.pass(15 * MINUTE);
  scene.settle('checkpoint', { type: 'refused', status: 400, message: 'no' });
  scene.pass(15 * MINUTE);
  expect(scene.kinds()).toEqual([]);
  scene.pass(15 * MINUTE);
  expect(scene.kinds()).toEqual(['checkpoint']);
});

test.each([
  { what: 'a dump that fails', outcome: { type: 'refused', status: 200, message: 'error: CRIU' } },
  { what: 'one that is never ready', outcome: { type: 'unavailable', message: 'not ready in time' } },
] as const)('$what after it was accepted is tried less and less often, until one is ready', ({ outcome }) => {
  const scene = new Scene();
  scene.job(1);
  const tries: number[] = [];
  for (let slot = 1; slot <= 20; slot++) {
    scene.pass(15 * MINUTE);
    if (scene.opened('checkpoint').length === 0) continue;
    tries.push(slot);
    if (tries.length === 4) {
      scene.checkpointReady('a', 1, 0);
      continue;
    }
    scene.settle('checkpoint', { type: 'accepted', actionId: 'a' });
    scene.settle('await-ready', outcome);
  }
  expect(tries.slice(0, 6)).toEqual([1, 3, 7, 15, 16, 18]);
});

test('the API is away: what waits is dropped, and its return is not answered with a burst', () => {
  const scene = new Scene(withRule({}, 1));
  for (let jobId = 1; jobId <= 5; jobId++) scene.job(jobId);
  scene.pass(15 * MINUTE);
  scene.settle('checkpoint', { type: 'unavailable', message: 'ECONNREFUSED' });
  expect(scene.kinds()).toEqual([]);
  expect(scene.noted('heartbeat-dropped')).toHaveLength(5);
  scene.pass(14 * MINUTE);
  expect(scene.kinds()).toEqual([]);
  scene.pass(MINUTE);
  expect(scene.kinds()).toEqual(['checkpoint']);
});

test('a clock that jumps forward is no burst', () => {
  const scene = new Scene(withRule({}, 100));
  for (let jobId = 1; jobId <= 50; jobId++) scene.job(jobId);
  scene.now += 10 * HOUR + MINUTE;
  scene.tick();
  expect(scene.sent).toEqual([]);
  scene.pass(15 * MINUTE);
  expect(scene.asked('checkpoint')).toHaveLength(50);
});

test.each(['every', 'cron'] as const)(
  'what was slept through while the daemon was down is let go: %s',
  (how) => {
    const scene = new Scene(withRule(how === 'cron' ? { trigger: { cron: CRON } } : {}, 1));
    for (let jobId = 1; jobId <= 5; jobId++) scene.job(jobId);
    scene.pass(15 * MINUTE);
    if (how === 'cron') scene.slot(CRON);
    expect(scene.kinds()).toEqual(['checkpoint']);
    scene.now += 3 * HOUR + MINUTE;
    scene.started();
    scene.checkpointReady('late', 1);
    expect(scene.kinds()).toEqual([]);
    expect(scene.noted('heartbeat-dropped')).toHaveLength(4);
  },
);

test('an action id that a server gives twice is waited for twice', () => {
  const scene = new Scene();
  scene.job(1);
  scene.pass(15 * MINUTE);
  scene.checkpointReady('same', 1);
  scene.pass(15 * MINUTE);
  scene.checkpointReady('same', 1);
  expect(scene.record(1)).toMatchObject({ checkpoint: null, ready: { actionId: 'same' } });
});

test.each(['every', 'cron'] as const)(
  'what waits over a short restart is still let go only when the next is due: %s',
  (how) => {
    const scene = new Scene(withRule(how === 'cron' ? { trigger: { cron: CRON } } : {}, 1));
    scene.job(1, { cpus: 8 });
    scene.job(2);
    scene.pass(15 * MINUTE);
    if (how === 'cron') scene.slot(CRON);
    scene.now += 5 * SECOND;
    scene.started();
    scene.checkpointReady('a', 1);
    expect(scene.opened('checkpoint')).toMatchObject([{ jobId: 2 }]);
  },
);

test.each(['every', 'cron'] as const)(
  'a clock set back over a restart: heartbeats go on, without a burst: %s',
  (how) => {
    const cron = how === 'cron';
    const scene = new Scene(withRule(cron ? { trigger: { cron: CRON } } : {}, 9));
    const beats = (hours: number) => {
      const before = scene.asked('checkpoint').length;
      for (let i = 0; i < hours * 4; i++) {
        scene.pass(15 * MINUTE);
        if (cron) scene.slot(CRON);
        for (const { jobId } of scene.opened('checkpoint')) {
          scene.settle('checkpoint', { type: 'accepted', actionId: `a${scene.sent.length}.${jobId}` }, jobId);
          scene.settle('await-ready', { type: 'ready', readyAt: scene.now }, jobId);
        }
      }
      return scene.asked('checkpoint').length - before;
    };
    scene.job(1);
    scene.job(2);
    scene.job(3);
    expect(beats(4)).toBe(3 * 16);
    scene.now -= 2 * HOUR;
    const before = scene.sent.length;
    scene.started();
    expect(scene.sent.length).toBe(before);
    expect(beats(1)).toBe(3 * 4);
  },
);

test('the clock set back to a moment that an earlier job of this id had: a new checkpoint all the same', () => {
  const scene = new Scene();
  scene.job(1);
  scene.pass(15 * MINUTE);
  scene.checkpointReady('a', 1);
  scene.job(1, { uid: 1001, submitAt: T0 });
  scene.now -= 10 * MINUTE;
  scene.started();
  scene.pass(15 * MINUTE);
  expect(scene.opened('checkpoint')).toHaveLength(1);
});

test('a reload among many events does not set the clock back by the milliseconds that it is ahead', () => {
  const scene = new Scene();
  for (let jobId = 1; jobId <= 50; jobId++) scene.job(jobId);
  const { clock } = scene.state;
  scene.started();
  expect(scene.state.clock).toBeGreaterThan(clock);
});

test('a new schedule counts at once', () => {
  const scene = new Scene();
  scene.job(1);
  scene.policy = withRule({ trigger: { every: 2 * MINUTE } });
  scene.now += SECOND;
  scene.started();
  expect(scene.wakeAt).toBe(T0 + 2 * MINUTE);
});

test('a policy that was switched off ends what was due and what waits', () => {
  const scene = new Scene(withRule({ trigger: { cron: CRON } }, 1));
  scene.job(1, { cpus: 8 });
  scene.job(2);
  scene.now += 15 * MINUTE;
  scene.slot(CRON);
  scene.policy = policyOf({ rules: [ruleOf({ enabled: false })] });
  scene.started();
  scene.checkpointReady('a', 1);
  expect(scene.wakeAt).toBeNull();
  expect(scene.kinds()).toEqual([]);
});

test.each(['every', 'cron'] as const)(
  'a job that is suspended while it waits gets no heartbeat: %s',
  (how) => {
    const scene = new Scene(withRule(how === 'cron' ? { trigger: { cron: CRON } } : {}, 1));
    scene.job(1, { cpus: 8 });
    scene.job(2);
    scene.pass(15 * MINUTE);
    if (how === 'cron') scene.slot(CRON);
    scene.job(2, { state: 'SUSPENDED' });
    scene.checkpointReady('a', 1);
    expect(scene.opened('checkpoint', 2)).toEqual([]);
    scene.job(2);
    scene.pass(20 * MINUTE);
    if (how === 'cron') scene.slot(CRON);
    expect(scene.record(2).heartbeat.waiting || scene.opened('checkpoint', 2).length > 0).toBe(true);
  },
);

test('a stale heartbeat is dropped and costs nothing', () => {
  const scene = new Scene();
  scene.job(1);
  scene.pass(15 * MINUTE);
  scene.settle('checkpoint', { type: 'stale', state: 'COMPLETING', message: 'job 1 is COMPLETING' });
  expect(scene.record(1)).toMatchObject({ checkpoint: null, heartbeat: { penalty: 0, skip: 0 } });
});

test('a checkpoint that does not become ready is a failure, and the one after the next is tried again', () => {
  const scene = new Scene();
  scene.job(1);
  scene.pass(15 * MINUTE);
  scene.settle('checkpoint', { type: 'accepted', actionId: 'a' });
  scene.settle('await-ready', { type: 'refused', status: 200, message: 'error' });
  expect(scene.noted('checkpoint-failed')).toHaveLength(1);
  expect(scene.record(1).ready).toBeNull();
  scene.pass(30 * MINUTE);
  expect(scene.kinds()).toEqual(['checkpoint']);
});

test('heartbeats go on after a drain was lifted, at their old times', () => {
  const scene = new Scene(policyOf({ restore: { concurrency: 0 } }));
  scene.job(1);
  scene.drain();
  scene.pass(40 * MINUTE);
  expect(scene.kinds()).toEqual([]);
  scene.resume();
  scene.pass(5 * MINUTE);
  expect(scene.kinds()).toEqual(['checkpoint']);
});

test('a run on its way to another node gets no heartbeat', () => {
  const scene = new Scene();
  scene.job(1);
  scene.pass(14 * MINUTE);
  scene.drain();
  scene.pass(HOUR);
  expect(scene.asked('checkpoint')).toEqual([]);
  expect(scene.kinds()).toEqual(['guard']);
});
