import { statSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ACTION, ask, front } from './support.ts';

test('start: nothing for a fresh start, else the command in lines that C can read', async () => {
  await using it = await front();
  const at = { socketPath: it.path };
  const fresh = await ask(at, 'POST /v1/jobs/7/start?uid=1500&gid=100');
  expect([fresh.status, fresh.text, fresh.headers['content-length']]).toEqual([204, '', undefined]);
  const argv = ['/usr/lib/ckptd/ckptd-criu', 'init', '--', 'a b', 'x\ny%', 'ü', ''];
  it.answers.start = { type: 'restore', actionId: ACTION, argv };
  const plan = await ask(at, 'POST /v1/jobs/7/start?uid=0&gid=4294967294&restarts=3');
  expect(plan.type).toBe('text/plain');
  const lines = plan.text.split('\n');
  expect(lines[0]).toBe(`action ${ACTION}`);
  expect(lines.at(-1)).toBe('');
  const args = lines.slice(1, -1);
  expect(args.every((line) => /^arg [!-~]*$/.test(line))).toBe(true);
  expect(args.map((line) => decodeURIComponent(line.slice(4)))).toEqual(argv);
  expect(it.calls).toEqual([
    ['start', { jobId: 7, uid: 1500, gid: 100, restarts: null }],
    ['start', { jobId: 7, uid: 0, gid: 4_294_967_294, restarts: 3 }],
  ]);
});

test('start: a job whose work is lost hears why', async () => {
  await using it = await front();
  it.answers.start = { type: 'anew', why: 'its image core.img.zst is missing' };
  const lost = await ask({ socketPath: it.path }, 'POST /v1/jobs/7/start?uid=0&gid=0&restarts=1');
  expect([lost.status, lost.type, lost.text]).toEqual([
    409,
    'text/plain',
    'its image core.img.zst is missing\n',
  ]);
});

test('start: while the engine ends, the plugin hears that another one is to be asked', async () => {
  await using it = await front();
  it.answers.start = { type: 'later', why: 'the engine is being stopped' };
  const later = await ask({ socketPath: it.path }, 'POST /v1/jobs/7/start?uid=0&gid=0&restarts=1');
  expect([later.status, later.type, later.text]).toEqual([
    503,
    'text/plain',
    'the engine is being stopped\n',
  ]);
});

test.each(['', '-1', '65536', '1e1', 'x', '12345678901'])(
  'start: %j is no count of restarts, and is refused',
  async (restarts) => {
    await using it = await front();
    const path = `POST /v1/jobs/7/start?uid=0&gid=0&restarts=${restarts}`;
    expect((await ask({ socketPath: it.path }, path)).status).toBe(400);
    expect(it.calls).toEqual([]);
  },
);

test('go, check, restored, failed and ended', async () => {
  await using it = await front();
  const at = { socketPath: it.path };
  for (const line of ['go?pid=4242', 'check', 'restored?init=77&root=12'])
    expect(await ask(at, `POST /v1/jobs/7/${line}`)).toMatchObject({ status: 200, text: 'ok\n' });
  expect((await ask(at, 'POST /v1/jobs/7/failed', 'criu said\nno')).status).toBe(200);
  expect((await ask(at, 'POST /v1/jobs/7/ended')).status).toBe(202);
  it.answers.verdict = { ok: false, message: 'fd 3 of pid 7 is not a file that alice may have' };
  const refused = await ask(at, 'POST /v1/jobs/7/check');
  expect([refused.status, refused.type, refused.text]).toEqual([
    409,
    'text/plain',
    'fd 3 of pid 7 is not a file that alice may have\n',
  ]);
  it.answers.verdict = { ok: false, message: 'the engine ends', later: true };
  const later = await ask(at, 'POST /v1/jobs/7/go?pid=4242');
  expect([later.status, later.text]).toEqual([503, 'the engine ends\n']);
  expect(it.calls).toEqual([
    ['go', 7, 4242],
    ['check', 7],
    ['restored', 7, { init: 77, root: 12 }],
    ['failed', 7, 'criu said\nno'],
    ['ended', 7],
    ['check', 7],
    ['go', 7, 4242],
  ]);
});

test('the socket has its mode before anybody can connect, and goes with the engine', async () => {
  const it = await front();
  expect((statSync(it.path).mode & 0o777).toString(8)).toBe('600');
  await it[Symbol.asyncDispose]();
  expect(statSync(it.path, { throwIfNoEntry: false })).toBeUndefined();
});
