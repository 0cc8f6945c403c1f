import { expect, test } from 'vitest';
import { HOUR, heartbeatOf, MINUTE, policyOf, ruleOf, Scene, SECOND, T0 } from './scene.ts';

const CRON = '*/20 * * * *';
const DAY = 24 * HOUR;

/** Answers everything a few seconds later: the API is well, and quick. */
function answerAll(scene: Scene): void {
  for (let round = 0; scene.open.size > 0; round++) {
    for (const effect of [...scene.open.values()]) {
      const accepted = effect.kind === 'checkpoint';
      scene.now += 1;
      scene.send({
        type: 'settled',
        at: scene.now,
        effect,
        outcome: accepted
          ? { type: 'accepted', actionId: `${effect.id}` }
          : { type: 'ready', readyAt: scene.now },
      });
    }
    if (round > 1_000) throw new Error('no end of checkpoints');
  }
}

/** Follows `wakeAt`, and nothing else, until that time; returns how often it was woken. */
function live(scene: Scene, until: number): number {
  let woken = 0;
  while (scene.wakeAt !== null && scene.wakeAt <= until) {
    scene.now = Math.max(scene.now, scene.wakeAt);
    scene.tick();
    answerAll(scene);
    if (++woken > 1_000_000) throw new Error('a hot loop');
  }
  scene.now = Math.max(scene.now, until);
  return woken;
}

function beatsPerJob(scene: Scene): Map<number, number> {
  const beats = new Map<number, number>();
  for (const { jobId } of scene.asked('checkpoint')) beats.set(jobId, (beats.get(jobId) ?? 0) + 1);
  return beats;
}

test.each([1, 100])('%i jobs, `every`: one heartbeat a period and job, for days', (jobs) => {
  const days = jobs === 1 ? 30 : 1;
  const every = heartbeatOf({ trigger: { every: 20 * MINUTE }, splay: 5 * MINUTE });
  const scene = new Scene(policyOf({ rules: [ruleOf({ heartbeat: every })] }));
  for (let jobId = 1; jobId <= jobs; jobId++) {
    scene.now = T0 + jobId * 7 * SECOND;
    scene.job(jobId, { startAt: scene.now });
  }
  const woken = live(scene, T0 + days * DAY);
  const periods = days * 72;
  expect(woken).toBeLessThanOrEqual(jobs * periods);
  for (const [jobId, beats] of beatsPerJob(scene)) {
    expect(Math.abs(beats - (periods - 1)), `job ${jobId}: ${beats}`).toBeLessThanOrEqual(1);
    const times = scene.asked('checkpoint', jobId).map(({ expiresAt }) => expiresAt);
    const gaps = times.slice(1).map((at, i) => at - times[i]!);
    expect(Math.min(...gaps)).toBeGreaterThan(19 * MINUTE);
    expect(Math.max(...gaps)).toBeLessThan(21 * MINUTE);
  }
  expect(beatsPerJob(scene).size).toBe(jobs);
  expect(scene.noted('heartbeat-dropped')).toEqual([]);
});

test.each([1, 100])('%i jobs, cron: one heartbeat a slot and job, for days', (jobs) => {
  const days = jobs === 1 ? 30 : 1;
  const cron = heartbeatOf({ trigger: { cron: CRON }, splay: 5 * MINUTE });
  const scene = new Scene(policyOf({ rules: [ruleOf({ heartbeat: cron })] }));
  for (let jobId = 1; jobId <= jobs; jobId++) scene.job(jobId);
  const slots = days * 72;
  for (let slot = 1; slot <= slots; slot++) {
    live(scene, T0 + slot * 20 * MINUTE);
    scene.slot(CRON);
    answerAll(scene);
  }
  live(scene, T0 + days * DAY + 10 * MINUTE);
  expect([...new Set(beatsPerJob(scene).values())]).toEqual([slots]);
  expect(beatsPerJob(scene).size).toBe(jobs);
  expect(scene.noted('heartbeat-dropped')).toEqual([]);
});

test('an API that is away for a day gets one try a period and job, and no burst afterwards', () => {
  const scene = new Scene(policyOf({ heartbeatConcurrency: 2 }));
  for (let jobId = 1; jobId <= 20; jobId++) scene.job(jobId);
  const failAll = () => {
    for (const effect of [...scene.open.values()]) {
      scene.send({
        type: 'settled',
        at: scene.now,
        effect,
        outcome: { type: 'unavailable', message: 'away' },
      });
    }
  };
  while ((scene.wakeAt ?? Number.POSITIVE_INFINITY) <= T0 + DAY) {
    scene.now = scene.wakeAt!;
    scene.tick();
    failAll();
  }
  expect(scene.asked('checkpoint').length).toBeLessThanOrEqual(2 * 96);
  const before = scene.asked('checkpoint').length;
  live(scene, T0 + DAY + 14 * MINUTE);
  expect(scene.asked('checkpoint').length).toBe(before);
  live(scene, T0 + DAY + 16 * MINUTE);
  expect(scene.asked('checkpoint').length).toBe(before + 20);
});
