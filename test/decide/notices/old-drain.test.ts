import { describe, expect, test } from 'vitest';
import { drainReason } from '../../../daemon/vocabulary/drain-reason.ts';
import { HOUR, MINUTE, NODE, noticeOf, policyOf, Scene, SECOND, T0 } from '../scene.ts';

const BOOT = T0 - 5 * MINUTE;
const reasonAt = (deadline: number | null) => drainReason({ source: 'ec2/spot', deadline });
const OLD = reasonAt(BOOT - HOUR);

/** A node that came back with a fresh disk: the journal is empty, and Slurm still shows the drain. */
function fresh(reason: string, policy = policyOf()): Scene {
  const scene = new Scene(policy);
  scene.node(['DRAIN'], { base: 'IDLE', reason });
  return scene;
}

const heard = (scene: Scene) => scene.send({ type: 'notices-heard', at: scene.now, bootedAt: BOOT });

describe('a drain of ours from before the host booted', () => {
  test('is lifted once every source has spoken and no notice stands', () => {
    const scene = fresh(OLD);
    expect(scene.opened('undrain-node')).toEqual([]);
    heard(scene);
    expect(scene.only('undrain-node')).toMatchObject({ node: NODE, reason: OLD });
    scene.settle('undrain-node', { type: 'done' });
    scene.resume();
    expect(scene.noted('node-undrained')).toHaveLength(1);
    expect(scene.open.size).toBe(0);
  });

  test('is lifted where Slurm tells of it later than the sources', () => {
    const scene = new Scene();
    heard(scene);
    scene.node(['DRAIN'], { reason: OLD });
    expect(scene.only('undrain-node')).toMatchObject({ reason: OLD });
  });

  test('is asked for once', () => {
    const scene = fresh(OLD);
    heard(scene);
    scene.settle('undrain-node', { type: 'refused', status: 0, message: 'no' });
    for (let i = 0; i < 3; i++) {
      scene.now += SECOND;
      scene.node(['DRAIN'], { reason: OLD });
    }
    expect(scene.asked('undrain-node')).toHaveLength(1);
  });

  test('stays, in the words of today, where a notice stands', () => {
    const scene = fresh(OLD);
    scene.notices('ec2/spot', noticeOf());
    heard(scene);
    expect(scene.asked('undrain-node')).toEqual([]);
    expect(scene.only('drain-node').reason).toBe(reasonAt(T0 + 2 * MINUTE));
  });
});

describe('is left alone', () => {
  test.each([
    { what: "somebody else's", reason: 'bad disk' },
    { what: 'one of this boot', reason: reasonAt(BOOT + MINUTE) },
    { what: 'one that is still to come', reason: reasonAt(T0 + HOUR) },
    { what: 'one without a deadline', reason: reasonAt(null) },
  ])('$what', ({ reason }) => {
    const scene = fresh(reason);
    heard(scene);
    scene.pass(HOUR);
    expect(scene.asked('undrain-node')).toEqual([]);
  });

  test('that of another node', () => {
    const scene = new Scene();
    heard(scene);
    scene.job(1, { nodes: [NODE, 'n2'] });
    scene.node(['DRAIN'], { node: 'n2', reason: OLD });
    expect(scene.asked('undrain-node')).toEqual([]);
  });

  test('a reason that outlived its drain', () => {
    const scene = new Scene();
    heard(scene);
    scene.node([], { reason: OLD });
    expect(scene.asked('undrain-node')).toEqual([]);
  });

  test('all of it in a dry run', () => {
    const scene = fresh(OLD, policyOf({ restore: { dryRun: true } }));
    heard(scene);
    expect(scene.sent).toEqual([]);
  });
});
