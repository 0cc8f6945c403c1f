import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { Entry } from './entry.ts';
import { StandIn } from './stand-in.ts';

const TOKEN = 'T0k';
const UUID = '6f0d6a6e-52b5-4c0e-a2f3-1b6f6c1d2e3f';
const CHECKPOINT = { job_id: '7', job_name: 'a', kind: 'simple', reason: 'heartbeat' };
const RESTORE = { action_id: UUID, cluster_id: UUID, reason: 'manual' };

async function post(standIn: StandIn, path: string, body: object | string, headers: object = {}) {
  return fetch(`${standIn.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${TOKEN}`, ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

const CHECKPOINT_PATH = '/v2/slurm/checkpoint/job';
const RESTORE_PATH = '/v2/slurm/restore/job';

test.each<[string, string, object | string, RegExp]>([
  ['job_id as a number', CHECKPOINT_PATH, { ...CHECKPOINT, job_id: 7 }, /job_id must be string/],
  ['job_id of an array', CHECKPOINT_PATH, { ...CHECKPOINT, job_id: '7_1' }, /digits/],
  ['another kind', CHECKPOINT_PATH, { ...CHECKPOINT, kind: 'full' }, /kind must be equal/],
  ['another reason', CHECKPOINT_PATH, { ...CHECKPOINT, reason: 'nodeTermination' }, /reason must be equal/],
  ['action_id', CHECKPOINT_PATH, { ...CHECKPOINT, action_id: UUID }, /read-only/],
  ['an unknown property', CHECKPOINT_PATH, { ...CHECKPOINT, extra: 1 }, /unevaluated/],
  ['a field left out', CHECKPOINT_PATH, { job_id: '7' }, /job_name is not sent/],
  ['an array', CHECKPOINT_PATH, [], /object/],
  ['no JSON', CHECKPOINT_PATH, 'job', /not JSON/],
  ['no cluster', RESTORE_PATH, { action_id: UUID, reason: 'manual' }, /cluster_id/],
  ['heartbeat', RESTORE_PATH, { ...RESTORE, reason: 'heartbeat' }, /reason must be equal/],
  ['no UUID', RESTORE_PATH, { ...RESTORE, action_id: '7' }, /action_id is not a UUID/],
  ['another route', '/v1/slurm/restore/job', RESTORE, /no such route/],
])('%s is a violation', async (_name, path, body, sentence) => {
  await using standIn = await new StandIn({ listen: { port: 0 } }).listen();
  const answer = await post(standIn, path, body);
  expect([404, 422]).toContain(answer.status);
  expect(await answer.json()).toMatchObject({ message: expect.any(String) });
  expect(standIn.violations.join('\n')).toMatch(sentence);
  expect(standIn.entries[0]?.acted).toBe(false);
});

test('a content type that is not JSON is a violation', async () => {
  await using standIn = await new StandIn({ listen: { port: 0 } }).listen();
  expect((await post(standIn, RESTORE_PATH, RESTORE, { 'content-type': 'text/plain' })).status).toBe(422);
  expect(standIn.violations).toEqual(['content-type is not application/json']);
});

test('a token that it does not know is a 401, and no violation', async () => {
  await using standIn = await new StandIn({ listen: { port: 0 } }).listen();
  standIn.service.behaviour.tokens = ['other'];
  expect((await post(standIn, CHECKPOINT_PATH, CHECKPOINT)).status).toBe(401);
  expect(standIn.violations).toEqual([]);
});

test('a checkpoint becomes ready, a restore needs that, and the hooks and the record see both', async () => {
  const ended: Entry[] = [];
  await using standIn = await new StandIn({
    listen: { port: 0 },
    onEntry: (entry) => ended.push(entry),
  }).listen();
  const { behaviour } = standIn.service;
  const restored: string[] = [];
  behaviour.onRestore = ({ action_id }) => void restored.push(action_id);
  behaviour.lifecycle = { afterMs: 3_600_000, end: 'ready' };
  const early = JSON.parse(await (await post(standIn, CHECKPOINT_PATH, CHECKPOINT)).text());
  behaviour.lifecycle = { afterMs: 0, end: 'ready' };
  behaviour.quotes = false;
  const ready = await (await post(standIn, CHECKPOINT_PATH, CHECKPOINT)).text();

  expect((await post(standIn, RESTORE_PATH, { ...RESTORE, action_id: early })).status).toBe(404);
  expect((await post(standIn, RESTORE_PATH, { ...RESTORE, action_id: ready })).status).toBe(200);
  expect(restored).toEqual([ready]);
  const list = await (await fetch(`${standIn.url}/v2/slurm/checkpoints`)).json();
  expect(list).toEqual([
    { action_id: early, job_id: '7', status: 'initializing' },
    { action_id: ready, job_id: '7', status: 'ready' },
  ]);
  expect(ended.every((entry) => entry.answered)).toBe(true);
  expect(JSON.stringify(ended)).not.toContain(TOKEN);
  expect(standIn.violations).toEqual([]);
});

test('an answer that was lost is on record as carried out, and not answered', async () => {
  await using standIn = await new StandIn({ listen: { port: 0 } }).listen();
  standIn.service.behaviour.strictRestore = false;
  standIn.scripts.restore.faults = [{ type: 'reset-after-body', acts: true }];
  await expect(post(standIn, RESTORE_PATH, RESTORE)).rejects.toThrow();
  expect(standIn.entries).toMatchObject([{ acted: true, answered: false, answer: { status: 200 } }]);
});

test('as a program it takes orders, prints requests, and ends with its input', async () => {
  const program = fileURLToPath(new URL('server.ts', import.meta.url));
  const child = spawn(process.execPath, [program, '--listen', '127.0.0.1:0', '--token', TOKEN], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => JSON.parse((await lines.next()).value ?? '');
  const order = (value: object) => child.stdin.write(`${JSON.stringify(value)}\n`);
  const { listening } = await next();
  order({ route: 'user', faults: [{ type: 'answer', status: 503 }] });
  order({ violations: true });
  expect(await next()).toEqual({ violations: [] });
  const user = () => fetch(`${listening}/v2/user`, { headers: { authorization: `Bearer ${TOKEN}` } });
  expect((await user()).status).toBe(503);
  expect(await next()).toMatchObject({ route: 'user', fault: 'answer', acted: false, answered: true });
  expect((await user()).status).toBe(200);
  child.stdin.end();
  expect(await once(child, 'exit')).toEqual([0, null]);
});
