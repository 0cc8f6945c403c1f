import { expect, test } from 'vitest';
import { EMPTY_STATE } from '../../daemon/decide/decide.ts';
import type { Commit } from '../../daemon/journal/entries.ts';
import type { Journal } from '../../daemon/journal/journal.ts';
import { socketHandlers } from '../../daemon/run/handlers.ts';
import { createLoop } from '../../daemon/run/loop.ts';
import { metricsText } from '../../daemon/run/metrics.ts';
import { createRequests } from '../../daemon/run/requests.ts';
import { savedNotices } from '../../daemon/run/saved-notices.ts';
import { statusLine } from '../../daemon/run/views.ts';
import type { Effect } from '../../daemon/vocabulary/effect.ts';
import type { State } from '../../daemon/vocabulary/state.ts';
import { MINUTE, noticeOf, policyOf, Scene, SECOND, sceneWithReady, T0 } from '../decide/scene.ts';
import { ask, serve } from '../sources/socket/support.ts';

/** The real socket, handlers and loop over a journal that takes everything; effects stay open. */
async function daemon() {
  const requests = createRequests();
  const taken: Effect[] = [];
  const states: State[] = [];
  const loop = createLoop(EMPTY_STATE, policyOf(), {
    journal: { commit: ({ effects }: Commit) => ({ fresh: [...effects] }) } as unknown as Journal,
    outbox: {
      take: (effect) => void taken.push(effect),
      recall() {},
      underWay: () => [],
      drained: async () => {},
    },
    log: { debug() {}, info() {}, warn() {}, error() {}, fatal() {} },
    onNote() {},
    onReply: requests.answer,
    wake() {},
    onState: (state) => void states.push(state),
  });
  const fixture = await serve(
    socketHandlers({
      loop,
      requests,
      journal: { history: () => [] } as unknown as Journal,
      clock: { now: () => T0, sleep: async () => {} },
      hint() {},
      status: () => ({}),
      metrics: () => '',
      healthy: () => ({ ok: true, message: '' }),
    }),
  );
  const call = async (line: string, body?: object) => {
    const { status, text } = await ask(fixture.path, line, body && JSON.stringify(body));
    return { status, body: JSON.parse(text) };
  };
  return { loop, taken, states, call, [Symbol.asyncDispose]: () => fixture[Symbol.asyncDispose]() };
}

test('POST, GET and DELETE: a notice by hand has the node drained, and lifted', async () => {
  await using d = await daemon();
  const given = await d.call('POST /v1/notices', { kind: 'termination', in: '2m', reason: 'rack 7' });
  expect(given).toEqual({ status: 201, body: { id: expect.stringMatching(/^[0-9a-f]{16}$/) } });
  const { id } = given.body;
  expect(await d.call('GET /v1/notices')).toEqual({
    status: 200,
    body: {
      notices: [
        {
          id,
          source: 'socket',
          kind: 'termination',
          deadline: new Date(T0 + 2 * MINUTE).toISOString(),
          reason: 'rack 7',
          dry_run: false,
          seen: expect.stringMatching(/^2027-/),
        },
      ],
    },
  });
  expect(d.taken).toMatchObject([
    { kind: 'drain-node', reason: /^ckptd: termination notice socket, deadline/ },
  ]);
  expect(d.states.at(-1)).toBe(d.loop.state);
  d.loop.handle({ type: 'settled', at: T0, effect: d.taken[0]!, outcome: { type: 'done' } });
  expect(await d.call(`DELETE /v1/notices/${id}`)).toEqual({ status: 200, body: { id } });
  expect(d.taken.map(({ kind }) => kind)).toEqual(['drain-node', 'undrain-node']);
  expect(await d.call(`DELETE /v1/notices/${id}`)).toMatchObject({ status: 404 });
  expect(await d.call('GET /v1/notices')).toMatchObject({ body: { notices: [] } });
});

test("a provider's own notice is a 409 with a message, a past one a 400, and each POST is a notice of its own", async () => {
  await using d = await daemon();
  d.loop.handle({ type: 'notices', at: T0, source: 'ec2/spot', standing: [noticeOf()] });
  expect(await d.call(`DELETE /v1/notices/${noticeOf().id}`)).toMatchObject({
    status: 409,
    body: { message: /ec2\/spot/ },
  });
  const past = new Date(T0 - 20 * MINUTE).toISOString();
  expect(await d.call('POST /v1/notices', { kind: 'termination', deadline: past })).toMatchObject({
    status: 400,
  });
  const one = await d.call('POST /v1/notices', { kind: 'rebalance' });
  const other = await d.call('POST /v1/notices', { kind: 'rebalance' });
  expect(other.body.id).not.toBe(one.body.id);
});

test('/metrics counts the notices that stand and the looks at their sources; the status line names them', () => {
  const scene = new Scene();
  scene.terminate(2 * MINUTE);
  scene.askNotice({ id: 'b'.repeat(16), kind: 'rebalance', deadline: null, dryRun: true });
  const text = metricsText({
    state: scene.state,
    notes: new Map([['dry-run', 3]]),
    effectsUnderWay: 0,
    commands: new Map(),
    api: [],
    socket: null,
    journalFailing: false,
    slurmAway: false,
    turns: 0,
    sources: [{ source: 'ec2/spot', requests: 7, errors: 2, awaySince: 5, standing: 1 }],
    providers: [
      { provider: 'ec2', watched: true },
      { provider: 'gcp', watched: false },
    ],
  });
  for (const line of [
    'ckptd_notices{source="ec2/spot",kind="termination"} 1',
    'ckptd_notices{source="socket",kind="rebalance"} 1',
    'ckptd_notes_total{kind="dry-run"} 3',
    'ckptd_notice_requests_total{source="ec2/spot"} 7',
    'ckptd_notice_errors_total{source="ec2/spot"} 2',
    'ckptd_notice_source_away{source="ec2/spot"} 1',
    'ckptd_notice_provider_watched{provider="ec2"} 1',
    'ckptd_notice_provider_watched{provider="gcp"} 0',
  ]) {
    expect(text.split('\n')).toContain(line);
  }
  expect(statusLine(scene.state, [])).toMatch(
    /termination notice from ec2\/spot for 2027-.*, rehearsed rebalance/,
  );
});

test('who sent a notice is told when nothing more can be saved, and not before', () => {
  const scene = sceneWithReady(policyOf({ restore: { finalCheckpoint: false } }));
  const saved = () => savedNotices(scene.state, scene.policy);
  scene.terminate(2 * MINUTE);
  expect(saved()).toEqual([]);
  scene.settle('guard', { type: 'done' });
  scene.settle('restore', { type: 'restored', actionId: 'new' });
  expect(saved()).toEqual([]);
  scene.settle('end-source', { type: 'done' });
  // The drain is what tells the daemons of jobs that have another batch host.
  expect(saved()).toEqual([]);
  scene.settle('drain-node', { type: 'done' });
  expect(saved()).toEqual([noticeOf().id]);
});

test('nobody is told of a rehearsal, and a stranded run is waited for while its checkpoint is under way', () => {
  const dry = new Scene();
  dry.terminate(2 * MINUTE, { dryRun: true });
  expect(savedNotices(dry.state, dry.policy)).toEqual([]);
  const scene = new Scene(policyOf({ drainNode: false, restore: { sourceJob: 'leave' } }));
  scene.job(1);
  scene.terminate(5 * SECOND);
  scene.pass(4 * SECOND);
  expect(scene.step(1)).toBe('stranded');
  expect(savedNotices(scene.state, scene.policy)).toEqual([]);
  scene.settle('checkpoint', { type: 'unavailable', message: 'away' });
  expect(savedNotices(scene.state, scene.policy)).toEqual([noticeOf().id]);
});

test('a job that a hook has told of, and nobody has looked at yet, may have to be saved', () => {
  const scene = new Scene(policyOf({ drainNode: false }));
  scene.terminate(2 * MINUTE);
  expect(savedNotices(scene.state, scene.policy)).toEqual([noticeOf().id]);
  scene.send({ type: 'prolog', at: scene.now, jobId: 7, restarts: 0, override: {} });
  expect(savedNotices(scene.state, scene.policy)).toEqual([]);
});
