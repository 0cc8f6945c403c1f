import { expect, test } from 'vitest';
import type { Fault } from '../../../support/metadata/fault.ts';
import { Watched } from '../watched.ts';
import { CLOUDS } from './clouds.ts';

const FAULTS: readonly Fault[] = [
  'hang',
  'reset',
  'html',
  'half',
  'broken-off',
  'huge',
  'endless',
  'redirect',
  'empty',
  401,
  403,
  404,
  410,
  429,
  500,
  503,
];
/** There a 404 means that there is nothing to be said. */
const NOTHING_IS_404 = new Set(['ec2', 'alibaba']);

const CASES = Object.keys(CLOUDS).flatMap((cloud) =>
  FAULTS.filter((fault) => fault !== 404 || !NOTHING_IS_404.has(cloud)).map(
    (fault) => [cloud, fault] as const,
  ),
);

test.concurrent.each(CASES)(
  '%s: what stood stands through %s, which is one line, and its end another',
  async (name, fault) => {
    const cloud = await CLOUDS[name]!();
    await using server = cloud.server;
    cloud.notice();
    await using watched = new Watched(cloud.config(300));
    const [notice] = await watched.word(cloud.source, 1);
    expect(notice).toMatchObject({ kind: 'termination' });

    server.fail(fault, { path: cloud.path, times: 2 });
    // A long poll is held already, and has to be let go of.
    if (name === 'gcp') cloud.notice();
    await server.more(3, cloud.path);
    cloud.withdraw();
    expect(await watched.word(cloud.source, 2)).toEqual([]);

    expect(server.asked('/elsewhere')).toEqual([]);
    const own = watched.log.lines.filter(
      ({ fields }) => 'source' in fields && fields.source === cloud.source,
    );
    expect(own.filter(({ level }) => level === 'warn')).toHaveLength(1);
    expect(own.filter(({ level }) => level === 'info')).toMatchObject([
      { fields: { failures: expect.any(Number) } },
    ]);
    const counters = watched.counters(cloud.source)!;
    expect(counters).toMatchObject({ standing: 0, awaySince: null });
    expect(counters.errors).toBeGreaterThan(0);
  },
);

test.each([...NOTHING_IS_404])('%s: a 404 takes the notice back', async (name) => {
  const cloud = await CLOUDS[name]!();
  await using server = cloud.server;
  cloud.notice();
  await using watched = new Watched(cloud.config());
  await watched.word(cloud.source, 1);
  server.fail(404, { path: cloud.path });
  expect(await watched.word(cloud.source, 2)).toEqual([]);
  expect(watched.warnings()).toEqual([]);
});

test.each(Object.keys(CLOUDS))('%s: nobody there is one line, and is found when it comes', async (name) => {
  const cloud = await CLOUDS[name]!();
  const port = Number(new URL(cloud.server.url).port);
  await cloud.server[Symbol.asyncDispose]();
  await using watched = new Watched(cloud.config());
  const failed = () => watched.counters(cloud.source)?.errors ?? 0;
  // Refused connections reach no server that could tell of them.
  await expect.poll(failed, { timeout: 20_000 }).toBeGreaterThan(1);
  expect(watched.events).toEqual([]);
  expect(
    watched.warnings().filter(({ fields }) => 'source' in fields && fields.source === cloud.source),
  ).toMatchObject([{ fields: { problem: expect.stringContaining('ECONNREFUSED') } }]);
  const there = await CLOUDS[name]!(port);
  await using _server = there.server;
  there.notice();
  expect(await watched.word(cloud.source, 1)).toHaveLength(1);
});

test.each(['ec2', 'azure', 'alibaba'])(
  '%s: a host whose clock is off by minutes keeps the time that is left',
  async (name) => {
    const cloud = await CLOUDS[name]!();
    await using server = cloud.server;
    for (const ahead of [600_000, -600_000]) {
      server.aheadMs = ahead;
      // In the cloud's own time; two minutes are left.
      cloud.notice(Date.now() + ahead + 120_000);
      await using watched = new Watched(cloud.config());
      const [notice] = await watched.word(cloud.source, 1);
      const left = notice!.deadline! - Date.now();
      // `Date` has whole seconds, rounded down.
      expect(left).toBeGreaterThan(110_000);
      expect(left).toBeLessThan(121_500);
      await server.more(5, cloud.path);
      expect(watched.of(cloud.source)).toHaveLength(1);
      expect(watched.warnings()).toMatchObject([{ message: expect.stringContaining('clock') }]);
    }
  },
);

test.each(['ec2', 'azure', 'alibaba'])('%s: a clock that is off by a second is not off', async (name) => {
  const cloud = await CLOUDS[name]!();
  await using server = cloud.server;
  server.aheadMs = 2_000;
  const at = Math.floor(Date.now() / 1000) * 1000 + 60_000;
  cloud.notice(at);
  await using watched = new Watched(cloud.config());
  expect(await watched.word(cloud.source, 1)).toMatchObject([{ deadline: at }]);
  expect(watched.warnings()).toEqual([]);
});

test.each(['ec2', 'azure', 'alibaba'])('%s: a deadline in the past is told as it is', async (name) => {
  const cloud = await CLOUDS[name]!();
  await using _server = cloud.server;
  const at = Date.UTC(2020, 0, 1);
  cloud.notice(at);
  await using watched = new Watched(cloud.config());
  expect(await watched.word(cloud.source, 1)).toMatchObject([{ deadline: at }]);
});
