import { expect, test } from 'vitest';
import type { NoticesConfig } from '../../../../daemon/config/notices-config.ts';
import { ManualClock } from '../../../support/clock.ts';
import { Ec2Metadata } from '../../../support/metadata/ec2.ts';
import type { Fault } from '../../../support/metadata/fault.ts';
import { noticesConfig, Watched } from '../watched.ts';
import { CLOUDS } from './clouds.ts';

/** All clouds at one address, as in life: file and logind are elsewhere. */
function everywhere(endpoint: string, changes: Partial<NoticesConfig> = {}): NoticesConfig {
  const at = { endpoint };
  return {
    ...noticesConfig(['auto'], { ec2: at, gcp: at, azure: at, alibaba: at }),
    file: '/nonexistent/terminate',
    detectTimeout: 300,
    ...changes,
  };
}

const LOCAL = ['file', 'logind'];
const watchedSources = (watched: Watched) =>
  watched.watch
    .counters()
    .map(({ source }) => source)
    .filter((source) => !LOCAL.includes(source))
    .sort();

test.each(Object.keys(CLOUDS))('auto finds %s, and nothing else at its address', async (name) => {
  const cloud = await CLOUDS[name]!();
  await using server = cloud.server;
  cloud.notice();
  await using watched = new Watched(everywhere(server.url, { detectTimeout: 10_000 }));
  expect(await watched.word(cloud.source, 1)).toHaveLength(1);
  await watched.detected(4);
  const prefixes = watchedSources(watched).map((source) => source.replace(/\/.*/, ''));
  expect(new Set(prefixes)).toEqual(new Set([name]));
});

test.each<Fault>(['hang', 'html', 'redirect', 'reset', 'empty', 'endless', 'huge', 404, 403, 401, 503])(
  'whoever answers with %s is nobody, and costs nothing afterwards',
  async (fault) => {
    await using server = await new Ec2Metadata().listen();
    server.fail(fault);
    const clock = new ManualClock();
    await using watched = new Watched(everywhere(server.url), clock);
    await watched.detected(4);
    const asked = server.seen.length;
    server.mend();
    expect(watchedSources(watched)).toEqual([]);
    await clock.run(59_000, 4);
    expect(server.seen).toHaveLength(asked);
    expect(watched.warnings()).toEqual([]);
  },
);

test('who is absent is said at info, and in the metrics', async () => {
  await using server = await new Ec2Metadata().listen();
  server.fail('hang');
  await using watched = new Watched(everywhere(server.url), new ManualClock());
  await watched.detected(4);
  expect(watched.log.lines.filter(({ fields }) => 'provider' in fields)).toMatchObject(
    Array.from({ length: 4 }, () => ({ level: 'info', fields: { again_in_ms: 60_000 } })),
  );
  expect(watched.watch.providers()).toEqual(
    ['ec2', 'gcp', 'azure', 'alibaba', 'file', 'logind'].map((provider, index) => ({
      provider,
      watched: index > 3,
    })),
  );
});

test('a cloud that is late is found after a minute', async () => {
  await using server = await new Ec2Metadata().listen();
  server.fail('hang');
  const clock = new ManualClock();
  await using watched = new Watched(everywhere(server.url, { detectTimeout: 1_000 }), clock);
  await watched.detected(4);
  server.mend();
  await clock.whenSleeping(4);
  clock.advance(60_000);
  expect(await watched.word('ec2/spot', 1)).toEqual([]);
  expect(watched.watch.providers()).toContainEqual({ provider: 'ec2', watched: true });
});

test('nobody is looked for after the last try', async () => {
  await using server = await new Ec2Metadata().listen();
  server.fail(404);
  const clock = new ManualClock();
  await using watched = new Watched(everywhere(server.url), clock);
  for (const [round, pause] of [60_000, 300_000, 1_800_000].entries()) {
    await watched.detected(4 * (round + 1));
    await clock.whenSleeping(4);
    clock.advance(pause);
  }
  await watched.detected(16);
  const asked = server.seen.length;
  await clock.run(7_200_000, 1);
  expect(server.seen).toHaveLength(asked);
  expect(watched.log.lines.at(-1)?.fields).not.toHaveProperty('again_in_ms');
});

test('a service that has a bad moment is asked again within that second', async () => {
  await using server = await new Ec2Metadata().listen();
  server.fail(503, { path: '/latest/api/token', times: 1 });
  await using watched = new Watched(everywhere(server.url, { detectTimeout: 10_000 }));
  expect(await watched.word('ec2/spot', 1)).toEqual([]);
});

test('who is named is watched without being looked for, and who is not is not asked at all', async () => {
  await using server = await new Ec2Metadata().listen();
  await using watched = new Watched({ ...everywhere(server.url), providers: ['ec2'] });
  await watched.word('ec2/spot', 1);
  await server.more(10);
  expect(server.seen.filter(({ path }) => !path.startsWith('/latest/'))).toEqual([]);
  expect(watched.watch.counters().map(({ source }) => source)).toEqual([
    'ec2/spot',
    'ec2/rebalance',
    'ec2/asg',
    'ec2/scheduled',
  ]);
});

test('all have been heard once those who are here have spoken, and those who are not are known to be absent', async () => {
  await using server = await new Ec2Metadata().listen();
  server.fail('hang', { path: '/latest/meta-data/events/maintenance/scheduled', times: 1 });
  const ec2 = { endpoint: server.url, timeout: 300 };
  await using watched = new Watched({ ...everywhere(server.url), ec2: { ...everywhere('').ec2, ...ec2 } });
  await watched.watch.heard;
  for (const source of ['ec2/spot', 'ec2/rebalance', 'ec2/asg', 'ec2/scheduled', 'file']) {
    expect(watched.of(source)).toHaveLength(1);
  }
});

test('without providers nothing is watched', async () => {
  await using server = await new Ec2Metadata().listen();
  await using watched = new Watched({ ...everywhere(server.url), providers: [] });
  await watched.watch.done;
  expect(watched.watch.counters()).toEqual([]);
  expect(server.seen).toEqual([]);
});
