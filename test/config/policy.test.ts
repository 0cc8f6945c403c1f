import { expect, test } from 'vitest';
import { cronLines, policyOf } from '../../daemon/config/policy.ts';
import { config } from './support.ts';

test('policies come in their order, and last a rule for all the other jobs', () => {
  const policy = policyOf(
    config(`
heartbeat: {min_age: 1m, concurrency: 3}
policies:
  - match: {partition: spot*, user: "*"}
    heartbeat: {every: 6m, kind: rootfs}
  - match: {name: "[a]?"}
    enabled: false
    resume: false
slurm: {node: n7}
restore: {skip_reasons: ["^maintenance"]}
`),
  );
  const usual = { splay: 300_000, minAge: 60_000 };
  expect(policy).toEqual({
    node: 'n7',
    rules: [
      {
        match: { partition: 'spot*', user: '*' },
        enabled: true,
        resume: true,
        heartbeat: { ...usual, trigger: { every: 360_000 }, kind: 'rootfs' },
      },
      {
        match: { name: '[a]?' },
        enabled: false,
        resume: false,
        heartbeat: { ...usual, trigger: { cron: '*/15 * * * *' }, kind: 'simple' },
      },
      {
        match: {},
        enabled: true,
        resume: true,
        heartbeat: { ...usual, trigger: { cron: '*/15 * * * *' }, kind: 'simple' },
      },
    ],
    heartbeatConcurrency: 3,
    drainNode: true,
    noticeProviders: ['auto'],
    restore: {
      onDrain: true,
      onTermination: true,
      skipReasons: [/^maintenance/u],
      finalCheckpoint: true,
      sourceJob: 'cancel',
      concurrency: 4,
      dryRun: false,
    },
  });
});

test.each([
  ['every: 1h', '{schedule: "@daily"}', { cron: '@daily' }],
  ['schedule: "@daily"', '{every: 1h}', { every: 3_600_000 }],
  ['every: 1h', '{kind: rootfs}', { every: 3_600_000 }],
  ['kind: rootfs', '{splay: 1m}', { cron: '*/15 * * * *' }],
])('with %s, %s is due by %j', (top, own, trigger) => {
  const { policies } = config(`heartbeat: {${top}}\npolicies: [{match: {}, heartbeat: ${own}}]`);
  expect(policies[0]?.heartbeat.trigger).toEqual(trigger);
});

test('a splay that was not asked for is no longer than the period', () => {
  const { heartbeat, policies } = config(`
heartbeat: {every: 3m}
policies:
  - {match: {user: a}, heartbeat: {every: 1m}}
  - {match: {user: b}, heartbeat: {schedule: "0 * * * *"}}
  - {match: {user: c}, heartbeat: {splay: 30m}}
`);
  expect(heartbeat.splay).toBe(180_000);
  expect(policies.map((rule) => rule.heartbeat.splay)).toEqual([60_000, 180_000, 180_000]);
});

test('every cron line in use is named once, however it was spaced', () => {
  const policy = policyOf(
    config(`
heartbeat: {schedule: " 0  *  * * *"}
policies:
  - {match: {user: a}}
  - {match: {user: b}, heartbeat: {schedule: "0 * * * *"}}
  - {match: {user: c}, heartbeat: {schedule: "@daily"}}
  - {match: {user: d}, heartbeat: {schedule: "@weekly"}, enabled: false}
  - {match: {user: e}, heartbeat: {every: 5m}}
`),
  );
  expect(cronLines(policy)).toEqual(['0 * * * *', '@daily']);
});
