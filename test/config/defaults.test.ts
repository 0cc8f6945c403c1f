import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { CLUSTER_ID, COMPLETE, config } from './support.ts';

test('everything that is left out has the default of the documentation', () => {
  expect(config('')).toEqual({
    clusterId: CLUSTER_ID,
    api: {
      url: 'https://cedana.example.com',
      base: 'https://cedana.example.com',
      socketPath: null,
      tokenFile: null,
      token: null,
      caFile: null,
      timeout: 10_000,
    },
    slurm: {
      node: 'n1',
      bin: '/usr/bin',
      conf: '/etc/slurm/slurm.conf',
      pollNode: 15_000,
      rescanJobs: 60_000,
      reconcile: 1_800_000,
    },
    heartbeat: {
      trigger: { cron: '*/15 * * * *' },
      splay: 300_000,
      minAge: 120_000,
      kind: 'simple',
      concurrency: 2,
    },
    policies: [],
    restore: {
      onDrain: true,
      onTermination: true,
      skipReasons: [],
      finalCheckpoint: true,
      sourceJob: 'cancel',
      concurrency: 4,
      dryRun: false,
    },
    notices: {
      providers: ['auto'],
      drainNode: true,
      file: '/run/ckptd/terminate',
      filePoll: 10_000,
      detectTimeout: 1000,
      ec2: {
        endpoint: 'http://169.254.169.254',
        poll: 2000,
        pollOthers: 30_000,
        timeout: 2000,
        scheduledLead: 2 * 3_600_000,
      },
      gcp: { endpoint: 'http://169.254.169.254', wait: 60_000, timeout: 2000 },
      azure: {
        endpoint: 'http://169.254.169.254',
        poll: 2000,
        timeout: 5000,
        firstTimeout: 300_000,
        startRequests: false,
      },
      alibaba: { endpoint: 'http://100.100.100.200', poll: 5000, timeout: 2000 },
    },
    socket: { path: '/run/ckptd/ckptd.sock', mode: 0o600, group: 'root' },
    stateDir: '/var/lib/ckptd',
    log: { level: 'info' },
  });
});

test('the old job ends after a restore by Cedana, and stays with the engine, unless the file says so', () => {
  const engine = { ...COMPLETE, CEDANA_URL: 'unix:/run/ckptd-engine/api.sock' };
  expect(config('', engine).restore.sourceJob).toBe('leave');
  expect(config('restore: {source_job: cancel}', engine).restore.sourceJob).toBe('cancel');
  expect(config('restore: {source_job: leave}').restore.sourceJob).toBe('leave');
});

test('the token of the environment is taken without a token file only, and is never shown', () => {
  const env = { ...COMPLETE, CEDANA_AUTH_TOKEN: ' hunter2hunter2\n' };
  const { api } = config('', env);
  expect(api.token?.reveal()).toBe('hunter2hunter2');
  const shown = [
    JSON.stringify(api),
    inspect(api, { showHidden: true, depth: null }),
    inspect(api, { customInspect: false, showHidden: true }),
    `${api.token}`,
    JSON.stringify(structuredClone({ ...api, token: { ...api.token } })),
  ];
  for (const text of shown) expect(text).not.toContain('hunter2');
  expect(config('api: {token_file: /etc/ckptd/token}', env).api).toMatchObject({
    tokenFile: '/etc/ckptd/token',
    token: null,
  });
});

test('a configuration cannot be changed', () => {
  const { policies, restore, notices } = config(
    'policies: [{match: {user: ann}}]\nrestore: {skip_reasons: [a]}',
  );
  for (const part of [
    policies,
    policies[0],
    policies[0]?.match,
    policies[0]?.heartbeat.trigger,
    notices.ec2,
  ]) {
    expect(Object.isFrozen(part)).toBe(true);
  }
  expect(() => (restore.skipReasons as RegExp[]).push(/b/)).toThrow(TypeError);
});
