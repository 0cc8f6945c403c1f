import { expect, test } from 'vitest';
import { ManualClock } from '../../../support/clock.ts';
import {
  EC2_LIFECYCLE,
  EC2_REBALANCE,
  EC2_SCHEDULED,
  EC2_SPOT,
  Ec2Metadata,
} from '../../../support/metadata/ec2.ts';
import { noticesConfig, Watched } from '../watched.ts';

const AT = '2026-09-18T08:22:00Z';
const watching = (server: Ec2Metadata, ec2: object = {}) =>
  new Watched(noticesConfig(['ec2'], { ec2: { endpoint: server.url, ...ec2 } }));

const event = (change: object = {}) => ({
  Code: 'instance-retirement',
  EventId: 'instance-event-0d59937288b749b32',
  State: 'active',
  NotBefore: '21 Jan 2026 09:00:43 GMT',
  NotAfter: '21 Jan 2026 09:17:23 GMT',
  Description: 'The instance is running on degraded hardware',
  ...change,
});

test('while EC2 has nothing to say, each source says so once and the service is asked in IMDSv2 alone', async () => {
  await using server = await new Ec2Metadata().listen();
  server.values.set(EC2_LIFECYCLE, 'InService');
  server.values.set(EC2_SCHEDULED, '[]');
  await using watched = watching(server);
  await server.more(10, EC2_SPOT);
  expect(watched.events.map(({ source, standing }) => [source, standing]).sort()).toEqual([
    ['ec2/asg', []],
    ['ec2/rebalance', []],
    ['ec2/scheduled', []],
    ['ec2/spot', []],
  ]);
  expect(server.seen.filter(({ status }) => status === 401)).toEqual([]);
  expect(server.asked('/api/token')).toHaveLength(1);
  expect(watched.warnings()).toEqual([]);
});

test.each(['terminate', 'stop', 'hibernate'])(
  'a spot instance that EC2 will %s has its time as deadline',
  async (action) => {
    await using server = await new Ec2Metadata().listen();
    await using watched = watching(server);
    expect(await watched.word('ec2/spot', 1)).toEqual([]);
    server.spot(action, AT);
    expect(await watched.word('ec2/spot', 2)).toEqual([
      {
        id: expect.stringMatching(/^[0-9a-f]{16}$/),
        source: 'ec2/spot',
        kind: 'termination',
        deadline: Date.parse(AT),
        reason: `EC2 will ${action} this spot instance`,
        dryRun: false,
      },
    ]);
  },
);

test('the same notice again and again is one, another time is another, and a withdrawn one is gone', async () => {
  await using server = await new Ec2Metadata().listen();
  server.spot('terminate', AT);
  await using watched = watching(server);
  const [first] = await watched.word('ec2/spot', 1);
  await server.more(5, EC2_SPOT);
  expect(watched.of('ec2/spot')).toHaveLength(1);
  server.spot('terminate', '2026-09-18T08:40:00Z');
  const [second] = await watched.word('ec2/spot', 2);
  expect(second?.id).not.toBe(first?.id);
  server.values.delete(EC2_SPOT);
  expect(await watched.word('ec2/spot', 3)).toEqual([]);
});

test('a daemon that is started again knows a notice by the same id', async () => {
  await using server = await new Ec2Metadata().listen();
  server.spot('terminate', AT);
  const ids: (string | undefined)[] = [];
  for (let start = 0; start < 2; start++) {
    await using watched = watching(server);
    ids.push((await watched.word('ec2/spot', 1))[0]?.id);
  }
  expect(ids[0]).toBe(ids[1]);
});

test('a rebalance recommendation is no termination, and has no deadline', async () => {
  await using server = await new Ec2Metadata().listen();
  server.values.set(EC2_REBALANCE, JSON.stringify({ noticeTime: AT }));
  await using watched = watching(server);
  expect(await watched.word('ec2/rebalance', 1)).toMatchObject([{ kind: 'rebalance', deadline: null }]);
});

test('Auto Scaling ends an instance with Terminated, and with no other state', async () => {
  await using server = await new Ec2Metadata().listen();
  await using watched = watching(server);
  for (const state of ['InService', 'Standby', 'Detached', 'Warmed:Terminated']) {
    server.values.set(EC2_LIFECYCLE, state);
    await server.more(2, EC2_LIFECYCLE);
  }
  expect(watched.of('ec2/asg').map(({ standing }) => standing)).toEqual([[]]);
  server.values.set(EC2_LIFECYCLE, 'Terminated\n');
  expect(await watched.word('ec2/asg', 2)).toMatchObject([{ kind: 'termination', deadline: null }]);
});

test('scheduled events stand while they are active, each by itself', async () => {
  await using server = await new Ec2Metadata().listen();
  const later = event({
    EventId: 'instance-event-2',
    Code: 'system-reboot',
    NotBefore: '22 Jan 2026 09:00:43 GMT',
  });
  server.schedule([event(), later, event({ EventId: 'instance-event-3', State: 'completed' })]);
  await using watched = watching(server);
  const both = await watched.word('ec2/scheduled', 1);
  expect(both.map(({ deadline }) => deadline).sort()).toEqual([
    Date.UTC(2026, 0, 21, 9, 0, 43),
    Date.UTC(2026, 0, 22, 9, 0, 43),
  ]);
  server.schedule([event({ State: 'canceled' }), later]);
  expect(await watched.word('ec2/scheduled', 2)).toMatchObject([
    { reason: expect.stringContaining('instance-event-2') },
  ]);
  server.schedule([]);
  expect(await watched.word('ec2/scheduled', 3)).toEqual([]);
});

test('a scheduled event is worth a checkpoint now, and a termination from scheduled_lead before its start', async () => {
  await using server = await new Ec2Metadata().listen();
  const hour = 3_600_000;
  const clock = new ManualClock(Date.now());
  const start = Math.floor(Date.now() / 1000) * 1000 + 5 * hour;
  server.schedule([event({ NotBefore: new Date(start).toUTCString() })]);
  const config = noticesConfig(['ec2'], {
    ec2: { endpoint: server.url, scheduledLead: hour, pollOthers: hour },
  });
  await using watched = new Watched(config, clock);
  const [early] = await watched.word('ec2/scheduled', 1);
  expect(early).toMatchObject({ kind: 'rebalance', deadline: start });
  // The server's clock goes with the host's, or this would be a host whose clock is off.
  for (let passed = 0; passed < 4; passed++) {
    await clock.whenSleeping(4);
    clock.advance(hour);
    server.aheadMs += hour;
  }
  const late = await watched.word('ec2/scheduled', 2);
  expect(late).toMatchObject([{ kind: 'termination', deadline: start }]);
  expect(late[0]?.id).not.toBe(early?.id);
});

test('an event with a part that cannot be read does not take back the others', async () => {
  await using server = await new Ec2Metadata().listen();
  server.schedule([event()]);
  await using watched = watching(server);
  await watched.word('ec2/scheduled', 1);
  server.schedule([event({ Code: 7 })]);
  await server.more(2, EC2_SCHEDULED);
  server.schedule([event({ EventId: 'instance-event-2' }), 'what?' as unknown as object]);
  expect(await watched.word('ec2/scheduled', 2)).toHaveLength(2);
  expect(watched.counters('ec2/scheduled')?.errors).toBeGreaterThan(0);
});

test('an event of a kind that nobody knows is said once and is no notice', async () => {
  await using server = await new Ec2Metadata().listen();
  server.schedule([event({ Code: 'instance-teleport' })]);
  await using watched = watching(server);
  expect(await watched.word('ec2/scheduled', 1)).toEqual([]);
  await server.more(3, EC2_SCHEDULED);
  expect(watched.warnings().map(({ message }) => message)).toEqual([
    expect.stringContaining('instance-teleport'),
  ]);
});

test('a token that has ended is renewed by one request, and nobody hears of it', async () => {
  let now = 0;
  await using server = await new Ec2Metadata(() => now).listen();
  await using watched = watching(server);
  await server.more(3, EC2_SPOT);
  now += 21_600_000;
  server.spot('terminate', AT);
  expect(await watched.word('ec2/spot', 2)).toHaveLength(1);
  expect(server.asked('/api/token').length).toBeGreaterThan(1);
  expect(server.asked('/api/token').length).toBeLessThanOrEqual(1 + 4);
  expect(watched.warnings()).toEqual([]);
});

test('a service that refuses each token is an error, not a loop', async () => {
  await using server = await new Ec2Metadata().listen();
  await using watched = watching(server, { pollOthers: 60_000 });
  await watched.word('ec2/spot', 1);
  server.fail(401, { path: EC2_SPOT });
  await server.more(2, EC2_SPOT);
  server.mend();
  server.spot('terminate', AT);
  await watched.word('ec2/spot', 2);
  // Each failed look: one request, one token, one more request.
  const { errors } = watched.counters('ec2/spot')!;
  expect(server.asked('/api/token')).toHaveLength(1 + errors);
  expect(watched.warnings()).toMatchObject([
    { fields: { problem: expect.stringContaining('refuses the token') } },
  ]);
});

test('no token is not mistaken for no notice', async () => {
  await using server = await new Ec2Metadata().listen();
  server.spot('terminate', AT);
  server.fail(404, { path: '/api/token', times: 4 });
  await using watched = watching(server);
  expect(await watched.word('ec2/spot', 1)).toHaveLength(1);
  expect(watched.warnings()[0]).toMatchObject({ fields: { problem: expect.stringContaining('no token') } });
});
