import { expect, test } from 'vitest';
import { AZURE_EVENTS, AZURE_NAME, AzureMetadata } from '../../../support/metadata/azure.ts';
import { noticesConfig, Watched } from '../watched.ts';

const watching = (server: AzureMetadata, azure: object = {}) =>
  new Watched(noticesConfig(['azure'], { azure: { endpoint: server.url, ...azure } }));

test.each(['Preempt', 'Terminate', 'Reboot', 'Redeploy'])(
  '%s of this VM is a termination',
  async (EventType) => {
    await using server = await new AzureMetadata().listen();
    await using watched = watching(server);
    expect(await watched.word('azure/scheduled', 1)).toEqual([]);
    const { NotBefore } = server.schedule({ EventType });
    expect(await watched.word('azure/scheduled', 2)).toMatchObject([
      { kind: 'termination', deadline: Date.parse(NotBefore), reason: expect.stringContaining(EventType) },
    ]);
    server.withdraw();
    expect(await watched.word('azure/scheduled', 3)).toEqual([]);
  },
);

test('events of other VMs, and pauses of this one, are no notices', async () => {
  await using server = await new AzureMetadata().listen();
  server.schedule({ EventId: 'a', Resources: ['node-70', 'node'] });
  server.schedule({ EventId: 'b', EventType: 'Freeze' });
  server.schedule({ EventId: 'c', Resources: [] });
  await using watched = watching(server);
  expect(await watched.word('azure/scheduled', 1)).toEqual([]);
  await server.more(3, AZURE_EVENTS);
  expect(watched.events).toHaveLength(1);
  expect(watched.warnings()).toEqual([]);
});

test('one event of several VMs is a notice for each of them, whatever the case of the name', async () => {
  await using server = await new AzureMetadata().listen();
  server.schedule({ Resources: ['node-6', 'NODE-7'] });
  await using watched = watching(server);
  expect(await watched.word('azure/scheduled', 1)).toHaveLength(1);
});

test('an event that has started keeps its deadline, and one that is first seen then has none left', async () => {
  await using server = await new AzureMetadata().listen();
  const event = server.schedule();
  await using watched = watching(server);
  const [before] = await watched.word('azure/scheduled', 1);
  server.schedule({ ...event, EventStatus: 'Started', NotBefore: '' });
  await server.more(3, AZURE_EVENTS);
  expect(watched.of('azure/scheduled')).toHaveLength(1);
  const seenAt = Date.now();
  server.schedule({ ...event, EventId: 'other', EventStatus: 'Started', NotBefore: '' });
  const both = await watched.word('azure/scheduled', 2);
  expect(both).toContainEqual(before);
  const other = both.find(({ id }) => id !== before?.id);
  expect(other!.deadline).toBeGreaterThanOrEqual(seenAt);
  expect(other!.deadline).toBeLessThanOrEqual(Date.now());
});

test('a first answer that takes its time is no error, and nobody is asked twice meanwhile', async () => {
  await using server = await new AzureMetadata().listen();
  server.fail('hang', { path: AZURE_EVENTS, times: 1 });
  await using watched = watching(server, { timeout: 100, firstTimeout: 1000 });
  await server.reaches(1, AZURE_EVENTS);
  const askedAt = Date.now();
  expect(await watched.word('azure/scheduled', 1)).toEqual([]);
  expect(Date.now() - askedAt).toBeGreaterThan(950);
  expect(watched.counters('azure/scheduled')).toMatchObject({ errors: 0, awaySince: null });
  expect(watched.warnings().map(({ message }) => message)).toEqual([
    'the service for scheduled events is still starting',
  ]);
});

test('once it has answered, a request that hangs is an error after the usual time', async () => {
  await using server = await new AzureMetadata().listen();
  await using watched = watching(server, { timeout: 100, firstTimeout: 60_000 });
  await watched.word('azure/scheduled', 1);
  server.fail('hang', { path: AZURE_EVENTS, times: 1 });
  await server.more(2, AZURE_EVENTS);
  server.schedule();
  await watched.word('azure/scheduled', 2);
  expect(watched.counters('azure/scheduled')?.errors).toBe(1);
});

test('without the name of this VM no event can be judged, and none is', async () => {
  await using server = await new AzureMetadata().listen();
  server.schedule();
  server.fail('html', { path: AZURE_NAME, times: 2 });
  await using watched = watching(server);
  await server.reaches(2, AZURE_NAME);
  expect(server.asked(AZURE_EVENTS)).toEqual([]);
  expect(await watched.word('azure/scheduled', 1)).toHaveLength(1);
  expect(watched.warnings()).toMatchObject([
    { fields: { problem: expect.stringContaining('the name of this VM') } },
  ]);
});

test.each([false, true])('an approved event is told to start, once (slow: %s)', async (slow) => {
  await using server = await new AzureMetadata().listen();
  server.slow = slow;
  const { EventId } = server.schedule();
  await using watched = watching(server, { startRequests: true });
  const [notice] = await watched.word('azure/scheduled', 1);
  await server.more(3, AZURE_EVENTS);
  expect(server.started).toEqual([]);
  watched.watch.approve('another notice');
  watched.watch.approve(notice!.id);
  watched.watch.approve(notice!.id);
  await server.more(8, AZURE_EVENTS);
  expect(server.started).toEqual([EventId]);
  expect(server.seen.filter(({ method }) => method === 'POST')).toHaveLength(1);
});

test('a start request that fails is made again, and given up after five times with one line', async () => {
  await using server = await new AzureMetadata().listen();
  server.schedule();
  await using watched = watching(server, { startRequests: true });
  const [notice] = await watched.word('azure/scheduled', 1);
  server.failPosts(503);
  watched.watch.approve(notice!.id);
  await server.more(20, AZURE_EVENTS);
  expect(server.seen.filter(({ method }) => method === 'POST')).toHaveLength(5);
  expect(watched.warnings()).toMatchObject([
    { fields: { event: expect.any(String), problem: expect.any(String) } },
  ]);
});

test('nothing is told to start unless the administrator asked for it', async () => {
  await using server = await new AzureMetadata().listen();
  server.schedule();
  await using watched = watching(server);
  const [notice] = await watched.word('azure/scheduled', 1);
  watched.watch.approve(notice!.id);
  await server.more(5, AZURE_EVENTS);
  expect(server.seen.filter(({ method }) => method === 'POST')).toEqual([]);
});
