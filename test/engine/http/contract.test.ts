import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect, test } from 'vitest';
import { CLUSTER } from '../store/support.ts';
import { ACTION, type Answer, ask, type Front, front } from './support.ts';

interface Case {
  readonly status: number;
  readonly what: string;
  readonly arrange?: (front: Front) => void;
  readonly body: object;
  readonly message?: RegExp;
}

const CHECKPOINT = { path: '/v2/slurm/checkpoint/job', text: 'openapi-checkpoint.json' };
const RESTORE = { path: '/v2/slurm/restore/job', text: 'openapi-restore.json' };

const job = { job_id: '4711', job_name: 'count', kind: 'simple', reason: 'heartbeat' };
const named = { action_id: ACTION, cluster_id: CLUSTER, reason: 'manual' };
const says = (call: 'checkpoint' | 'restore', status: 400 | 404 | 500) => (front: Front) => {
  Object.assign(front.answers, { [call]: { ok: false, status, message: `no: ${status}` } });
};

const CHECKPOINT_CASES: readonly Case[] = [
  { status: 200, what: 'accepted', body: job },
  { status: 404, what: 'refused', arrange: says('checkpoint', 404), body: job, message: /^no: 404$/ },
  { status: 404, what: 'no job named', body: {}, message: /job_id is missing/ },
  { status: 404, what: 'job null', body: { job_id: null }, message: /job_id is missing/ },
  { status: 404, what: 'no number', body: { job_id: '3_1' }, message: /no job "3_1".*squeue/ },
  { status: 404, what: 'no 32 bits', body: { job_id: '4294967296' }, message: /no job/ },
  { status: 500, what: 'failed', arrange: says('checkpoint', 500), body: job, message: /^no: 500$/ },
];

const RESTORE_CASES: readonly Case[] = [
  { status: 200, what: 'accepted', body: named },
  { status: 400, what: 'refused by Slurm', arrange: says('restore', 400), body: named, message: /^no: 400$/ },
  { status: 400, what: 'no id', body: { ...named, action_id: undefined }, message: /action_id is missing/ },
  { status: 400, what: 'no cluster', body: { ...named, cluster_id: null }, message: /cluster_id is missing/ },
  { status: 400, what: 'no reason', body: { ...named, reason: undefined }, message: /reason is missing/ },
  { status: 400, what: 'an unknown reason', body: { ...named, reason: 'x' }, message: /nodeTermination/ },
  { status: 404, what: 'unknown', arrange: says('restore', 404), body: named, message: /^no: 404$/ },
  { status: 404, what: 'no UUID', body: { ...named, action_id: '../x' }, message: /UUID/ },
  {
    status: 404,
    what: "another cluster's",
    body: { ...named, cluster_id: randomUUID() },
    message: /serves cluster/,
  },
  { status: 500, what: 'failed', arrange: says('restore', 500), body: named, message: /^no: 500$/ },
];

for (const [{ path, text }, cases] of [
  [CHECKPOINT, CHECKPOINT_CASES],
  [RESTORE, RESTORE_CASES],
] as const) {
  const check = responseChecker(text, path);

  test.each(cases)(`${path}: $status, $what, is as the OpenAPI text has it`, async (given) => {
    await using it = await front();
    given.arrange?.(it);
    const answer = await ask({ socketPath: it.path }, `POST ${path}`, given.body);
    expect(answer.status).toBe(given.status);
    check.answer(answer);
    if (given.message === undefined) expect(answer.text).toBe(ACTION);
    else {
      expect(answer.json).toMatchObject({ code: String(given.status) });
      expect((answer.json as { message: string }).message).toMatch(given.message);
    }
  });

  test(`${path}: no status of the OpenAPI text is left out`, () => {
    expect([...new Set(cases.map(({ status }) => String(status)))].sort()).toEqual(check.statuses);
  });
}

test('a bug of the engine is a 500 in its words, and a line in the log', async () => {
  await using it = await front();
  it.answers.checkpoint = null as never;
  const answer = await ask({ socketPath: it.path }, `POST ${CHECKPOINT.path}`, job);
  expect(answer.status).toBe(500);
  responseChecker(CHECKPOINT.text, CHECKPOINT.path).answer(answer);
  expect(it.it.log.lines.filter(({ level }) => level === 'error')).toHaveLength(1);
});

test('what is outside of the schema is a 4xx with a message, and nothing is asked of a job', async () => {
  await using it = await front();
  const at = { socketPath: it.path };
  const bad: readonly (readonly [string, object | string, number, RegExp])[] = [
    [CHECKPOINT.path, { ...job, kind: 'whole' }, 400, /kind must be one of simple, rootfs, rootfsonly/],
    [CHECKPOINT.path, { ...job, reason: 'nodeTermination' }, 400, /reason must be one of heartbeat, manual/],
    [CHECKPOINT.path, { job_id: 4711 }, 400, /job_id must be a string/],
    [CHECKPOINT.path, { ...job, job_name: ['a'] }, 400, /job_name must be a string/],
    [CHECKPOINT.path, '{', 400, /not JSON/],
    [CHECKPOINT.path, '[]', 400, /JSON object/],
    [CHECKPOINT.path, `"${'x'.repeat(70_000)}"`, 413, /over 65536 bytes/],
    [RESTORE.path, '', 400, /action_id is missing/],
    [RESTORE.path, { ...named, action_id: 7 }, 400, /action_id must be a string/],
    ['/v2/slurm/checkpoint', job, 404, /no such route/],
    ['/v2/user', job, 405, /takes GET/],
    ['/v1/jobs/0/check', '', 400, /job id/],
    ['/v1/jobs/x/check', '', 400, /job id/],
    ['/v1/jobs/7/go', '', 400, /pid must be a number/],
    ['/v1/jobs/7/go?pid=-1', '', 400, /pid must be a number/],
    ['/v1/jobs/7/start?uid=1500', '', 400, /gid must be a number/],
  ];
  for (const [path, body, status, message] of bad) {
    const answer = await ask(at, `POST ${path}`, body);
    expect([path, answer.status]).toEqual([path, status]);
    expect(answer.json).toEqual({ message: expect.stringMatching(message), code: String(status) });
  }
  expect(it.calls).toEqual([]);
});

test('what the source is asked', async () => {
  await using it = await front();
  const at = { socketPath: it.path };
  await ask(at, `POST ${CHECKPOINT.path}`, { ...job, kind: 'rootfs', action_id: ACTION });
  await ask(at, `POST ${CHECKPOINT.path}`, { job_id: '9' });
  const upper = { ...named, action_id: ACTION.toUpperCase(), cluster_id: CLUSTER.toUpperCase() };
  await ask(at, `POST ${RESTORE.path}`, { ...upper, reason: 'nodeTermination' });
  expect(it.calls).toEqual([
    ['checkpoint', { jobId: 4711, kind: 'rootfs', reason: 'heartbeat' }],
    ['checkpoint', { jobId: 9, kind: 'simple', reason: 'manual' }],
    ['restore', { actionId: ACTION, reason: 'nodeTermination' }],
  ]);
});

/** Answers held against what the OpenAPI text says of each status: content type and schema. */
function responseChecker(file: string, path: string) {
  const url = new URL(`../../support/cedana/${file}`, import.meta.url);
  const document = JSON.parse(readFileSync(url, 'utf8'));
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  ajv.addSchema({ ...document, $id: file });
  const responses: Record<string, { content: Record<string, object> }> = document.paths[path].post.responses;
  return {
    statuses: Object.keys(responses).sort(),
    answer({ status, type, json, text }: Answer) {
      const content = responses[status]?.content ?? {};
      expect(Object.keys(content)).toEqual([type]);
      const pointer = `paths/${path.replaceAll('/', '~1')}/post/responses/${status}/content/${type.replaceAll('/', '~1')}/schema`;
      const validate = ajv.compile({ $ref: `${file}#/${pointer}` });
      expect(validate(json ?? text), JSON.stringify(validate.errors)).toBe(true);
    },
  };
}
