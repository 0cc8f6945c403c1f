import { describe, expect, test } from 'vitest';
import { MINUTE, policyOf, ruleOf, Scene, sceneWithReady, T0 } from './scene.ts';

const DONE = { type: 'done' } as const;
const AWAY = { type: 'unavailable', message: 'nobody answered' } as const;

describe('a checkpoint', () => {
  test('of a job that is not here: 404', () => {
    const scene = new Scene();
    const requestId = scene.askCheckpoint(1);
    expect(scene.replies).toMatchObject([{ requestId, ok: false, status: 404 }]);
  });

  test.each(['SUSPENDED', 'COMPLETING'])('of a job that is %s: 409', (state) => {
    const scene = new Scene();
    scene.job(1, { state });
    scene.askCheckpoint(1);
    expect(scene.replies).toMatchObject([{ ok: false, status: 409 }]);
    expect(scene.sent).toEqual([]);
  });

  test('while one is under way: 409', () => {
    const scene = new Scene();
    scene.job(1);
    scene.askCheckpoint(1);
    const second = scene.askCheckpoint(1);
    expect(scene.replies).toMatchObject([{ requestId: second, ok: false, status: 409 }]);
    expect(scene.asked('checkpoint')).toHaveLength(1);
  });

  test('is answered when the API accepted it, once', () => {
    const scene = new Scene();
    scene.job(1);
    const requestId = scene.askCheckpoint(1);
    scene.checkpointReady('a', 1);
    expect(scene.replies).toEqual([{ requestId, ok: true, actionId: 'a' }]);
  });

  test('no policy stands in its way', () => {
    const scene = new Scene(policyOf({ rules: [ruleOf({ enabled: false })] }));
    scene.job(1);
    scene.askCheckpoint(1);
    expect(scene.only('checkpoint')).toMatchObject({ reason: 'manual', checkpointKind: 'simple' });
  });

  test.each([
    { outcome: { type: 'refused', status: 422, message: 'no' }, status: 422 },
    { outcome: { type: 'refused', status: 0, message: 'no' }, status: 502 },
    { outcome: { type: 'not-checkpointable', message: 'no' }, status: 404 },
    { outcome: { type: 'stale', state: 'COMPLETED', message: 'no' }, status: 409 },
    { outcome: AWAY, status: 503 },
  ] as const)('that fails ($outcome.type) is answered $status', ({ outcome, status }) => {
    const scene = new Scene();
    scene.job(1);
    scene.askCheckpoint(1);
    scene.settle('checkpoint', outcome);
    expect(scene.replies).toMatchObject([{ ok: false, status }]);
  });

  test('of a run that is requeued meanwhile is answered', () => {
    const scene = new Scene();
    scene.job(1);
    scene.askCheckpoint(1);
    scene.job(1, { restarts: 1, state: 'PENDING', batchHost: null, nodes: [], submitAt: T0 });
    scene.settle('checkpoint', { type: 'stale', state: 'PENDING', message: 'requeued' });
    expect(scene.replies).toMatchObject([{ ok: false, status: 409 }]);
  });
});

describe('a restore', () => {
  test('of a job that is not here: 404', () => {
    const scene = new Scene();
    scene.askRestore(1);
    expect(scene.replies).toMatchObject([{ ok: false, status: 404 }]);
  });

  test('is answered with the new id when the API accepted it, once', () => {
    const scene = sceneWithReady();
    const requestId = scene.askRestore(1);
    scene.settle('guard', DONE);
    scene.checkpointReady('final', 1);
    expect(scene.only('restore')).toMatchObject({ reason: 'manual', actionId: 'final', requestId });
    scene.settle('restore', { type: 'restored', actionId: 'new' });
    scene.settle('end-source', DONE);
    expect(scene.replies).toEqual([{ requestId, ok: true, actionId: 'new' }]);
  });

  test('of the checkpoint that a person names takes no other', () => {
    const scene = sceneWithReady();
    scene.askRestore(1, 'named');
    scene.settle('guard', DONE);
    expect(scene.only('restore')).toMatchObject({ actionId: 'named' });
    expect(scene.asked('checkpoint')).toHaveLength(1);
  });

  test('of a job that is on its way: 409', () => {
    const scene = new Scene();
    scene.job(1);
    scene.drain();
    scene.askRestore(1);
    expect(scene.replies).toMatchObject([{ ok: false, status: 409 }]);
  });

  test('that is refused: 502, the guard is released', () => {
    const scene = sceneWithReady();
    scene.askRestore(1, 'named');
    scene.settle('guard', DONE);
    scene.settle('restore', { type: 'refused', status: 404, message: 'no such id' });
    expect(scene.replies).toMatchObject([{ ok: false, status: 502 }]);
    expect(scene.only('guard')).toMatchObject({ requeue: true });
  });

  test('with nothing to restore from: 409, and it does not happen later on its own', () => {
    const scene = new Scene();
    scene.job(1);
    scene.askRestore(1);
    scene.settle('guard', DONE);
    scene.settle('checkpoint', AWAY);
    expect(scene.replies).toMatchObject([{ ok: false, status: 409 }]);
    expect(scene.only('guard')).toMatchObject({ requeue: true });
    scene.settle('guard', DONE);
    scene.pass(15 * MINUTE);
    scene.checkpointReady('beat', 1);
    expect(scene.step(1)).toBeNull();
    expect(scene.kinds()).toEqual([]);
    expect(scene.replies).toHaveLength(1);
  });

  test('tries again what failed by itself', () => {
    const scene = sceneWithReady(policyOf({ restore: { finalCheckpoint: false } }));
    scene.drain();
    scene.settle('guard', DONE);
    scene.settle('restore', AWAY);
    scene.settle('guard', DONE);
    scene.askRestore(1);
    scene.settle('guard', DONE);
    scene.settle('restore', { type: 'restored', actionId: 'new' });
    expect(scene.replies).toMatchObject([{ ok: true }]);
    expect(scene.asked('restore')).toHaveLength(2);
  });

  test('of a run that is requeued meanwhile is answered once', () => {
    const scene = sceneWithReady(policyOf({ restore: { finalCheckpoint: false } }));
    scene.askRestore(1);
    scene.settle('guard', DONE);
    scene.job(1, { restarts: 1, state: 'PENDING', batchHost: null, nodes: [], submitAt: T0 });
    scene.settle('restore', { type: 'stale', state: 'PENDING', message: 'requeued' });
    expect(scene.replies).toMatchObject([{ ok: false, status: 409 }]);
  });

  test.each(['COMPLETED', 'CANCELLED'])('of a run that is %s meanwhile is answered once', (state) => {
    const scene = sceneWithReady();
    scene.askRestore(1);
    scene.job(1, { state });
    scene.settle('guard', DONE, 1);
    expect(scene.replies).toMatchObject([{ ok: false, status: 409 }]);
  });
});
