import { expect, test } from 'vitest';
import { splayOf } from '../../daemon/decide/checkpoints/heartbeat.ts';
import type { JobOverride } from '../../daemon/vocabulary/job.ts';
import { heartbeatOf, MINUTE, policyOf, ruleOf, Scene } from './scene.ts';

test('a place in the splay is in [0, width), and neighbours lie apart', () => {
  const places = Array.from({ length: 1_000 }, (_, jobId) => splayOf(jobId, 5 * MINUTE));
  expect(Math.min(...places)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...places)).toBeLessThan(5 * MINUTE);
  const tenths = new Set(places.map((place) => Math.floor(place / (0.5 * MINUTE))));
  expect(tenths.size).toBe(10);
  expect(splayOf(42, 0)).toBe(0);
});

test('the first rule that matches counts', () => {
  const rules = [
    ruleOf({ match: { partition: 'spot*' }, heartbeat: heartbeatOf({ kind: 'rootfs' }) }),
    ruleOf({ match: { user: 'ann' }, heartbeat: heartbeatOf({ kind: 'rootfsonly' }) }),
    ruleOf(),
  ];
  const scene = new Scene(policyOf({ rules, heartbeatConcurrency: 9 }));
  scene.job(1, { partition: 'spot-a' });
  scene.job(2);
  scene.job(3, { user: 'bob' });
  scene.pass(15 * MINUTE);
  expect(scene.asked('checkpoint').map((e) => [e.jobId, e.checkpointKind])).toEqual([
    [1, 'rootfs'],
    [2, 'rootfsonly'],
    [3, 'simple'],
  ]);
});

test('every field of a rule has to match', () => {
  const rules = [ruleOf({ match: { partition: 'main', name: 'other*' } }), ruleOf({ enabled: false })];
  const scene = new Scene(policyOf({ rules }));
  scene.job(1);
  expect(scene.wakeAt).toBeNull();
});

function sceneWith(override: JobOverride, order: 'prolog first' | 'prolog last'): Scene {
  const scene = new Scene();
  const prolog = () => scene.send({ type: 'prolog', at: scene.now, jobId: 1, restarts: 0, override });
  if (order === 'prolog first') prolog();
  scene.job(1);
  if (order === 'prolog last') prolog();
  return scene;
}

test.each(['prolog first', 'prolog last'] as const)('what the user asked for counts: %s', (order) => {
  const every = sceneWith({ every: 5 * MINUTE }, order);
  every.pass(5 * MINUTE);
  expect(every.kinds()).toEqual(['checkpoint']);

  const kind = sceneWith({ kind: 'rootfs' }, order);
  kind.pass(15 * MINUTE);
  expect(kind.asked('checkpoint')).toMatchObject([{ checkpointKind: 'rootfs' }]);

  const off = sceneWith({ off: true }, order);
  off.pass(60 * MINUTE);
  off.drain();
  expect(off.sent).toEqual([]);
});

test('a user who opts out after the drain began takes the plan back', () => {
  const scene = new Scene();
  scene.job(1);
  scene.drain();
  scene.send({ type: 'prolog', at: scene.now, jobId: 1, restarts: 0, override: { off: true } });
  expect(scene.step(1)).toBeNull();
});
