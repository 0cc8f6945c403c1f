import { chmodSync, writeFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { createApi } from '../../../daemon/perform/api/api.ts';
import { tokenSource } from '../../../daemon/perform/api/token.ts';
import { systemClock } from '../../../daemon/system/clock.ts';
import { recordingLog } from '../../support/log.ts';
import { CLUSTER, put } from '../store/support.ts';
import { ACTION, ask, type Front, front, TOKEN } from './support.ts';

const NEVER = new AbortController().signal;
const clock = systemClock();

/** ckptd's own client. */
function client(endpoint: string, tokenFile: string | null) {
  return createApi({
    endpoint,
    clusterId: CLUSTER,
    timeoutMs: 10_000,
    token: tokenSource(tokenFile, {}),
    env: {},
    clock,
    log: recordingLog(),
    random: () => 0.5,
  });
}

const WAYS: readonly (readonly [string, (it: Front) => ReturnType<typeof client>])[] = [
  ['a Unix socket', (it) => client(`unix:${it.path}`, null)],
  ['a Unix socket, with a token that nobody asks for', (it) => client(`unix:${it.path}`, it.tokenFile)],
  ['TCP with the token', (it) => client(`http://127.0.0.1:${it.server.port}`, it.tokenFile)],
];

describe.each(WAYS)("ckptd's own client over %s", (_, connect) => {
  test('checkpoints, waits until it is ready, and restores', async () => {
    await using it = await front({ tcp: true });
    const api = connect(it);
    const expiresAt = clock.now() + 30_000;
    const wanted = { jobId: 7, jobName: 'läuft', kind: 'simple', reason: 'heartbeat', expiresAt } as const;
    expect(await api.checkpoint(wanted, NEVER)).toEqual({ type: 'accepted', actionId: ACTION });
    it.underWay.set(ACTION, { status: 'processing' });
    const ready = api.awaitReady({ actionId: ACTION, expiresAt }, NEVER);
    await put(it.it.store, 7, {}, ACTION);
    it.underWay.clear();
    expect(await ready).toMatchObject({ type: 'ready' });
    const named = { actionId: ACTION, clusterId: CLUSTER, reason: 'nodeUnschedulable' } as const;
    expect(await api.restoreOnce(named, NEVER)).toEqual({ type: 'accepted', actionId: ACTION });

    it.answers.restore = { ok: false, status: 400, message: 'job 7 may not be requeued' };
    expect(await api.restoreOnce(named, NEVER)).toMatchObject({ type: 'refused', status: 400 });
    it.underWay.set(ACTION, { status: 'error', details: 'CRIU: no' });
    expect(await api.awaitReady({ actionId: ACTION, expiresAt }, NEVER)).toMatchObject({
      type: 'refused',
      message: expect.stringMatching(/CRIU: no/),
    });
    await api.close();
  });
});

describe('over TCP', () => {
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

  test('nothing is answered without the token, and the answer tells nothing', async () => {
    await using it = await front({ tcp: true });
    const at = { port: it.server.port ?? 0 };
    for (const headers of [
      {},
      bearer(''),
      bearer('wrong'),
      bearer(TOKEN.slice(0, -1)),
      bearer(`${TOKEN}x`),
      { authorization: TOKEN },
      { authorization: `Basic ${TOKEN}` },
    ]) {
      for (const line of ['GET /v2/user', 'POST /v2/slurm/checkpoint/job', 'GET /nowhere']) {
        const answer = await ask(at, line, line.startsWith('POST') ? { job_id: '7' } : '', headers);
        expect([headers, answer.status]).toEqual([headers, 401]);
        expect(answer.headers['www-authenticate']).toBe('Bearer');
        expect(answer.json).toMatchObject({ code: '401' });
        expect(answer.text).not.toContain(TOKEN.slice(0, 8));
      }
    }
    expect(it.calls).toEqual([]);
    expect((await ask(at, 'GET /v2/user', '', bearer(TOKEN))).status).toBe(200);
    expect((await ask(at, 'GET /v2/user', '', { authorization: `bearer ${TOKEN}` })).status).toBe(200);
  });

  test("the plugin's routes are not there", async () => {
    await using it = await front({ tcp: true });
    const line = 'POST /v1/jobs/7/start?uid=0&gid=0';
    expect((await ask({ port: it.server.port ?? 0 }, line, '', bearer(TOKEN))).status).toBe(404);
    expect((await ask({ socketPath: it.path }, line)).status).toBe(204);
  });

  test('a new token counts at once, and one that others can read counts for nobody', async () => {
    await using it = await front({ tcp: true });
    const at = { port: it.server.port ?? 0 };
    writeFileSync(it.tokenFile, 'another-token\n');
    expect((await ask(at, 'GET /v2/user', '', bearer(TOKEN))).status).toBe(401);
    expect((await ask(at, 'GET /v2/user', '', bearer('another-token'))).status).toBe(200);
    chmodSync(it.tokenFile, 0o644);
    const answer = await ask(at, 'GET /v2/user', '', bearer('another-token'));
    expect(answer.status).toBe(500);
    expect(it.it.log.lines.map(({ message }) => message)).toEqual([
      expect.stringMatching(/nobody is served over TCP: .*chmod 600/),
    ]);
    expect(inspect(it.it.log.lines, { depth: 10 })).not.toContain('another-token');
  });
});
