import fc from 'fast-check';
import { expect, test } from 'vitest';
import { globMatches } from '../../daemon/decide/rules.ts';
import { splayOf } from '../../daemon/decide/splay.ts';
import type { JobOverride } from '../../daemon/vocabulary/job.ts';
import { heartbeatOf, MINUTE, policyOf, ruleOf, Scene } from './scene.ts';

test.each([
  ['*', '', true],
  ['*', 'anything', true],
  ['spot*', 'spot-a', true],
  ['spot*', 'on-spot', false],
  ['*spot*', 'on-spot-2', true],
  ['a?c', 'abc', true],
  ['a?c', 'ac', false],
  ['a*b*c', 'a-b-b-c', true],
  ['a*b*c', 'a-c-b', false],
  ['', '', true],
  ['', 'x', false],
  ['a.c', 'abc', false],
  ['[ab]', 'a', false],
  ['a\\*', 'a\\x', true],
  ['*\n*', 'two\nlines', true],
])('glob %j on %j: %s', (pattern, text, matches) => {
  expect(globMatches(pattern, text)).toBe(matches);
});

test('globs say the same as the regular expression that they stand for', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), maxLength: 8 });
  const texts = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 10 });
  fc.assert(
    fc.property(letters, texts, (pattern, text) => {
      const regExp = new RegExp(`^${pattern.replaceAll('*', '.*').replaceAll('?', '.')}$`);
      expect(globMatches(pattern, text)).toBe(regExp.test(text));
    }),
    { numRuns: 2_000 },
  );
});

test('a glob that would take a regular expression forever is quick', () => {
  const before = performance.now();
  globMatches(`${'a*'.repeat(50)}b`, 'a'.repeat(1_000));
  expect(performance.now() - before).toBeLessThan(200);
});

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
