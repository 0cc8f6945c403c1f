import { randomUUID } from 'node:crypto';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { put } from '../store/support.ts';
import { ACTION, ask, front } from './support.ts';

const CHECKPOINT = 'POST /v2/slurm/checkpoint/job';

test('a checkpoint from accepted to ready, in the words of both routes', async () => {
  await using it = await front();
  const at = { socketPath: it.path };
  const status = async (id = ACTION) => (await ask(at, `GET /v2/checkpoint/status/${id}`)).json;
  const list = async () => (await ask(at, 'GET /v2/slurm/checkpoints')).json;
  expect(await status()).toEqual({ status: 'not_found' });
  expect(await list()).toEqual([]);

  expect((await ask(at, CHECKPOINT, { job_id: '7' })).status).toBe(200);
  for (const [word, listed] of [
    ['initialized', 'initializing'],
    ['processing', 'updated_info'],
    ['checkpoint_created', 'updated_info'],
  ] as const) {
    it.underWay.set(ACTION, { status: word });
    expect(await status(ACTION.toUpperCase())).toEqual({ status: word });
    expect(await list()).toEqual([{ action_id: ACTION, job_id: '7', status: listed }]);
  }
  it.underWay.set(ACTION, { status: 'error', details: 'CRIU: Error (cr-dump.c): no' });
  expect(await status()).toEqual({ status: 'error', details: 'CRIU: Error (cr-dump.c): no' });
  expect(await list()).toMatchObject([{ status: 'error', details: 'CRIU: Error (cr-dump.c): no' }]);

  it.underWay.clear();
  const { manifest } = await put(it.it.store, 7, {}, ACTION);
  expect(await status()).toEqual({ status: 'ready' });
  expect(await list()).toEqual([
    {
      action_id: ACTION,
      job_id: '7',
      status: 'ready',
      restarts: 0,
      job_name: manifest.jobName,
      user: 'alice',
      node: 'n1',
      kind: 'simple',
      reason: 'heartbeat',
      created_at: new Date(manifest.takenAt).toISOString(),
      size: 5,
    },
  ]);
});

test('deprecated: told in both routes, once and for all, and not for what is not there', async () => {
  await using it = await front();
  const at = { socketPath: it.path };
  await put(it.it.store, 7, {}, ACTION);
  const deprecate = (id: string, body?: object) =>
    ask(at, `PATCH /v2/slurm/checkpoints/deprecate/${id}`, body ?? '');
  expect(await deprecate(ACTION, { reason: 'a newer one is there' })).toMatchObject({ status: 200 });
  expect((await deprecate(ACTION)).status).toBe(200);
  expect((await ask(at, `GET /v2/checkpoint/status/${ACTION}`)).json).toEqual({
    status: 'error',
    details: 'deprecated: a newer one is there',
  });
  expect((await ask(at, 'GET /v2/slurm/checkpoints')).json).toMatchObject([
    { status: 'deprecated', details: 'a newer one is there' },
  ]);
  for (const id of [randomUUID(), 'x', '..%2f..%2fetc']) {
    const answer = await deprecate(id);
    expect(answer.status).toBe(404);
    expect(answer.json).toEqual({ message: 'there is no such checkpoint', code: '404' });
  }
});

test('damaged: an error with the reason, which can still be deprecated; the others are listed', async () => {
  await using it = await front();
  const at = { socketPath: it.path };
  const { dir } = await put(it.it.store, 7, {}, ACTION);
  await put(it.it.store, 8);
  writeFileSync(join(dir, 'manifest.json'), '{"version":9}');
  const details = expect.stringMatching(/is of version 9, and this engine knows version 1 only/);
  expect((await ask(at, `GET /v2/checkpoint/status/${ACTION}`)).json).toEqual({ status: 'error', details });
  const list = (await ask(at, 'GET /v2/slurm/checkpoints')).json as { status: string }[];
  expect(list.map(({ status }) => status).sort()).toEqual(['error', 'ready']);
  expect((await ask(at, `PATCH /v2/slurm/checkpoints/deprecate/${ACTION}`)).status).toBe(200);
});

test('what an earlier engine did not end is an error, not a wait without end', async () => {
  await using it = await front();
  it.progress.lost(ACTION);
  const { json } = await ask({ socketPath: it.path }, `GET /v2/checkpoint/status/${ACTION}`);
  expect(json).toMatchObject({ status: 'error', details: expect.stringMatching(/engine ended/) });
});

test('a store that cannot be trusted is a 500 in its words, for each route that needs it', async () => {
  await using it = await front();
  const at = { socketPath: it.path };
  chmodSync(it.it.dir, 0o777);
  for (const line of ['GET /v2/slurm/checkpoints']) {
    const answer = await ask(at, line);
    expect(answer.status).toBe(500);
    expect(answer.json).toMatchObject({ code: '500', message: expect.stringMatching(/writable by others/) });
  }
  chmodSync(it.it.dir, 0o700);
  expect((await ask(at, 'GET /v2/slurm/checkpoints')).status).toBe(200);
});

test('the probe', async () => {
  await using it = await front();
  const answer = await ask({ socketPath: it.path }, 'GET /v2/user');
  expect(answer.status).toBe(200);
  expect(answer.json).toMatchObject({ id: 'ckptd-engine', version: '1.2.3', node: 'n1' });
});
