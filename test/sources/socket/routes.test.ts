import { expect, test } from 'vitest';
import { type Answer, ask, serve } from './support.ts';

const json = ({ text }: Answer) => JSON.parse(text) as unknown;

test('hooks: the handler gets the run, the override and the environment, and the answer is 202 after it', async () => {
  const order: string[] = [];
  await using fixture = await serve({
    prolog: async (hook) => {
      await new Promise(setImmediate);
      order.push('journal');
      expect(hook).toEqual({
        jobId: 7,
        restarts: 2,
        override: { every: 900_000, kind: 'rootfs' },
        env: {
          SLURM_JOB_ID: '7',
          SLURM_JOB_RESTART_COUNT: '2',
          SPANK_CKPT_INTERVAL: '15m',
          SPANK_CKPT_KIND: 'rootfs',
          SPANK_CKPT_OFF: 'perhaps',
          SLURM_JOB_COMMENT: 'a"b\\\n\ufffd',
        },
      });
    },
  });
  const env = {
    SLURM_JOB_ID: '7',
    SLURM_JOB_RESTART_COUNT: '2',
    SPANK_CKPT_INTERVAL: '15m',
    SPANK_CKPT_KIND: 'rootfs',
    SPANK_CKPT_OFF: 'perhaps',
    SLURM_JOB_COMMENT: 'a"b\\\n\ud800',
    PATH: '/bin',
    __proto__x: '1',
    SLURM_NUMBER: 5,
  };
  const answer = await ask(fixture.path, 'POST /v1/jobs/7/prolog', JSON.stringify({ env }));
  order.push('answer');
  expect(answer.status).toBe(202);
  expect(order).toEqual(['journal', 'answer']);
  expect(fixture.logged).toEqual(['job 7: SPANK_CKPT_OFF is ignored: it is not 1 or 0']);
});

test('hooks: bytes that are no UTF-8 are text with a mark in it; what Slurm left out is 0', async () => {
  await using fixture = await serve();
  const body = Buffer.concat([
    Buffer.from('{"env":{"SLURM_JOB_COMMENT":"'),
    Buffer.from([0xff]),
    Buffer.from('"}}'),
  ]);
  expect((await ask(fixture.path, 'POST /v1/jobs/8/prolog', body)).status).toBe(202);
  const exit = '{"env":{"SLURM_JOB_EXIT_CODE":"256"}}';
  expect((await ask(fixture.path, 'POST /v1/jobs/8/epilog', exit)).status).toBe(202);
  expect(fixture.calls).toEqual([
    ['prolog', { jobId: 8, restarts: 0, override: {}, env: { SLURM_JOB_COMMENT: '\ufffd' } }],
    ['epilog', { jobId: 8, restarts: 0, env: { SLURM_JOB_EXIT_CODE: '256' } }],
  ]);
});

test('by hand: the body is optional, and the answer is handed through', async () => {
  await using fixture = await serve();
  const { path } = fixture;
  expect(json(await ask(path, 'POST /v1/jobs/1/checkpoint'))).toEqual({ action_id: 'a1' });
  await ask(path, 'POST /v1/jobs/1/checkpoint', '{"kind":"rootfsonly"}');
  const restored = await ask(path, 'POST /v1/jobs/1/restore', '{"action_id":"a1"}');
  expect([restored.status, json(restored)]).toEqual([
    404,
    { message: 'no such checkpoint', code: 'ApiError' },
  ]);
  await ask(path, 'POST /v1/jobs/1/restore');
  expect(fixture.calls).toEqual([
    ['checkpoint', 1, null],
    ['checkpoint', 1, 'rootfsonly'],
    ['restore', 1, 'a1'],
    ['restore', 1, null],
  ]);
});

test('notices by hand: read strictly, with the deadline as a time or as a length of time', async () => {
  await using fixture = await serve();
  const { path } = fixture;
  const post = (body: object) => ask(path, 'POST /v1/notices', JSON.stringify(body));
  const given = await post({
    kind: 'termination',
    deadline: '2026-09-18T10:22:00+02:00',
    reason: 'a\n\u001b[31mb',
  });
  expect([given.status, json(given)]).toEqual([201, { id: '00112233445566ff' }]);
  await post({ kind: 'termination', in: '2m', dry_run: true, reason: 'x'.repeat(10_000) });
  await post({ kind: 'rebalance', deadline: null, reason: null });
  expect(fixture.calls).toEqual([
    [
      'notice',
      {
        kind: 'termination',
        deadline: Date.UTC(2026, 8, 18, 8, 22),
        inMs: null,
        reason: 'a [31mb',
        dryRun: false,
      },
    ],
    [
      'notice',
      { kind: 'termination', deadline: null, inMs: 120_000, reason: `${'x'.repeat(199)}…`, dryRun: true },
    ],
    ['notice', { kind: 'rebalance', deadline: null, inMs: null, reason: '', dryRun: false }],
  ]);
  fixture.calls.length = 0;
  expect(json(await ask(path, 'GET /v1/notices'))).toEqual({ notices: [{ id: '00112233445566ff' }] });
  expect((await ask(path, 'DELETE /v1/notices/00112233445566ff')).status).toBe(200);
  expect(fixture.calls).toEqual([['withdraw', '00112233445566ff']]);
});

test('what people and probes read', async () => {
  let ok = true;
  await using fixture = await serve({ healthy: () => ({ ok, message: 'journal cannot be written' }) });
  const { path } = fixture;
  expect(json(await ask(path, 'GET /v1/status'))).toEqual({ version: 1 });
  expect(json(await ask(path, 'GET /v1/jobs'))).toEqual({ jobs: [{ job_id: 1 }] });
  expect(json(await ask(path, 'GET /v1/history?job=5&limit=3'))).toEqual({ history: [] });
  await ask(path, 'GET /v1/history');
  expect(fixture.calls).toEqual([
    ['history', { jobId: 5, limit: 3 }],
    ['history', { limit: 100 }],
  ]);
  const metrics = await ask(path, 'GET /metrics');
  expect([metrics.text, metrics.headers['content-type']]).toEqual([
    'ckptd_up 1\n',
    'text/plain; version=0.0.4; charset=utf-8',
  ]);
  expect((await ask(path, 'GET /healthz')).status).toBe(200);
  ok = false;
  const ill = await ask(path, 'GET /healthz');
  expect([ill.status, json(ill)]).toEqual([503, { message: 'journal cannot be written', code: 'unhealthy' }]);
});

test.each([
  ['GET /', 404, 'not-found'],
  ['GET /v1/jobs/', 404, 'not-found'],
  ['GET /v1/jobs/1/prolog/', 404, 'not-found'],
  ['GET /v1/jobs/1/prolog', 405, 'method-not-allowed'],
  ['PUT /healthz', 405, 'method-not-allowed'],
  ['POST /v1/jobs/0/epilog', 400, 'bad-job-id'],
  ['POST /v1/jobs/1_2/epilog', 400, 'bad-job-id'],
  ['POST /v1/jobs/4294967296/epilog', 400, 'bad-job-id'],
  ['POST /v1/jobs/%zz/epilog', 400, 'bad-url'],
  ['POST /v1/jobs/1/prolog nonsense', 400, 'bad-json'],
  ['POST /v1/jobs/1/prolog null', 400, 'bad-body'],
  ['POST /v1/jobs/1/prolog {"env":1}', 400, 'bad-env'],
  ['POST /v1/jobs/1/prolog {"env":{"SLURM_JOB_ID":"2"}}', 400, 'wrong-job'],
  ['POST /v1/jobs/1/prolog {"env":{"SLURM_JOB_RESTART_COUNT":"two"}}', 400, 'bad-env'],
  ['POST /v1/jobs/1/checkpoint {"kind":"all"}', 400, 'bad-kind'],
  ['POST /v1/jobs/1/restore {"action_id":7}', 400, 'bad-action-id'],
  ['POST /v1/notices', 400, 'bad-kind'],
  ['POST /v1/notices {"kind":"reboot"}', 400, 'bad-kind'],
  ['POST /v1/notices {"kind":["termination"]}', 400, 'bad-kind'],
  ['POST /v1/notices {"kind":"termination","dryRun":true}', 400, 'bad-notice'],
  ['POST /v1/notices {"kind":"termination","dry_run":"false"}', 400, 'bad-dry-run'],
  ['POST /v1/notices {"kind":"termination","reason":{}}', 400, 'bad-reason'],
  ['POST /v1/notices {"kind":"termination","deadline":1795461250}', 400, 'bad-deadline'],
  ['POST /v1/notices {"kind":"termination","deadline":"2026-09-18T08:22:00"}', 400, 'bad-deadline'],
  ['POST /v1/notices {"kind":"termination","deadline":"2026-02-31T08:22:00Z"}', 400, 'bad-deadline'],
  ['POST /v1/notices {"kind":"termination","deadline":"tomorrow"}', 400, 'bad-deadline'],
  ['POST /v1/notices {"kind":"termination","deadline":""}', 400, 'bad-deadline'],
  ['POST /v1/notices {"kind":"termination","in":"-2m"}', 400, 'bad-in'],
  ['POST /v1/notices {"kind":"termination","in":120}', 400, 'bad-in'],
  ['POST /v1/notices {"kind":"termination","in":"99999999d"}', 400, 'bad-in'],
  [
    'POST /v1/notices {"kind":"termination","in":"2m","deadline":"2026-09-18T08:22:00Z"}',
    400,
    'bad-deadline',
  ],
  ['POST /v1/notices [1]', 400, 'bad-body'],
  ['DELETE /v1/notices', 405, 'method-not-allowed'],
  ['DELETE /v1/notices/1', 404, 'not-found'],
  ['DELETE /v1/notices/%00', 404, 'not-found'],
  ['DELETE /v1/notices/00112233445566FF', 404, 'not-found'],
  ['GET /v1/history?limit=1001', 400, 'bad-limit'],
  ['GET /v1/history?job=x', 400, 'bad-job-id'],
])('%s is %i %s', async (line, status, code) => {
  await using fixture = await serve();
  const answer = await ask(fixture.path, line, line.split(' ')[2]);
  expect(answer.status).toBe(status);
  expect(json(answer)).toEqual({ message: expect.stringMatching(/./), code });
  expect(Object.hasOwn(answer.headers, 'allow')).toBe(status === 405);
});

test('a handler that fails is a 500 that tells the log what and the client nothing', async () => {
  await using fixture = await serve({
    prolog: () => Promise.reject(new Error('secret')),
    status: () => {
      throw new Error('secret');
    },
  });
  for (const line of ['POST /v1/jobs/1/prolog {"env":{}}', 'GET /v1/status']) {
    const answer = await ask(fixture.path, line, line.split(' ')[2]);
    expect([answer.status, json(answer)]).toEqual([
      500,
      { message: 'the daemon failed on this request: see its log', code: 'internal' },
    ]);
  }
  expect(fixture.logged).toHaveLength(2);
  expect(fixture.server.counters.failed).toBe(2);
});
