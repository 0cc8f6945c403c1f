import { expect, test } from 'vitest';
import type { JobId } from '../../daemon/vocabulary/job.ts';
import type { JobRecord } from '../../daemon/vocabulary/state.ts';
import { factsOf, MINUTE, noticeOf, policyOf, SECOND } from '../decide/scene.ts';
import { beforeHungSlurm } from './hung-slurm.ts';

/** Forty jobs with a checkpoint each, and a termination notice. */
function evacuation(sourceJob: 'leave' | 'cancel', noticeMs: number) {
  const world = beforeHungSlurm(
    policyOf({ drainNode: false, restore: { sourceJob, finalCheckpoint: false } }),
  );
  const { loop, clock } = world;
  const at = clock.now();
  for (let jobId = 1; jobId <= 40; jobId++) {
    const facts = factsOf(jobId, { startAt: at - 10 * MINUTE, submitAt: at - 11 * MINUTE });
    loop.handle({ type: 'job', at, facts });
    const job = loop.state.jobs.get(jobId)!;
    const { uid, name: jobName, submitAt } = facts;
    const ready = { actionId: `of ${jobId}`, kind: 'simple' as const, restarts: 0, uid, jobName, submitAt };
    const jobs = loop.state.jobs as Map<JobId, JobRecord>;
    jobs.set(jobId, { ...job, ready: { ...ready, takenAt: at - MINUTE, tookMs: 3_000 } });
  }
  const standing = [noticeOf({ deadline: at + noticeMs })];
  loop.handle({ type: 'notices', at, source: 'ec2/spot', standing });
  return world;
}

test.each([
  ['leave', 30],
  ['leave', 120],
  ['cancel', 30],
  ['cancel', 120],
] as const)(
  'a slurmctld that hangs costs no job its restore (%s, %i s of notice)',
  async (sourceJob, notice) => {
    const { restores, pass } = evacuation(sourceJob, notice * SECOND);
    await pass(notice * SECOND);
    expect(new Set(restores.map(({ actionId }) => actionId)).size).toBe(40);
    expect(restores).toHaveLength(40);
  },
);

test('a job that was stranded, and has a checkpoint at last, does not wait for its Requeue to be given back', async () => {
  const { loop, clock, restores, notes, outbox, pass } = beforeHungSlurm(policyOf({ drainNode: false }));
  const at = clock.now();
  loop.handle({
    type: 'job',
    at,
    facts: factsOf(1, { startAt: at - 10 * MINUTE, submitAt: at - 11 * MINUTE }),
  });
  loop.handle({
    type: 'notices',
    at,
    source: 'ec2/spot',
    standing: [noticeOf({ deadline: at + 20 * SECOND })],
  });
  await pass(19 * SECOND);
  expect(loop.state.jobs.get(1)?.plan?.step).toBe('stranded');
  expect(outbox.underWay()).toContainEqual(expect.stringMatching(/^release:/));
  const { effectId: id, actionId } = loop.state.jobs.get(1)!.checkpoint!;
  const run = { id, jobId: 1, restarts: 0, actionId: actionId!, expiresAt: at };
  loop.handle({
    type: 'settled',
    at: clock.now(),
    effect: { kind: 'await-ready', ...run },
    outcome: { type: 'ready', readyAt: clock.now() },
  });
  await pass(5 * SECOND);
  expect(restores).toMatchObject([{ actionId: 'final' }]);
  expect(notes.map(({ kind }) => kind)).toContain('restored');
});
