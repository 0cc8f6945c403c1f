import { expect, test, vi } from 'vitest';
import { GCP_MAINTENANCE, GCP_PREEMPTED, GcpMetadata } from '../../../support/metadata/gcp.ts';
import { noticesConfig, Watched } from '../watched.ts';

const watching = (server: GcpMetadata, gcp: object = {}) =>
  new Watched(noticesConfig(['gcp'], { gcp: { endpoint: server.url, wait: 60_000, ...gcp } }));

/** Both questions are held: the watch has nothing to do. */
async function held(server: GcpMetadata): Promise<void> {
  await server.reaches(4);
  expect(server.held).toBe(2);
}

test('a preemption is told by an answer that was held, with 30 s from then', async () => {
  await using server = await new GcpMetadata().listen();
  await using watched = watching(server);
  expect(await watched.word('gcp/preempted', 1)).toEqual([]);
  await held(server);
  const at = Date.now();
  server.set(GCP_PREEMPTED, 'TRUE');
  const [notice] = await watched.word('gcp/preempted', 2);
  const took = Date.now() - at;
  // Held, and not asked for once a second.
  expect(took).toBeLessThan(500);
  expect(notice).toMatchObject({ source: 'gcp/preempted', kind: 'termination' });
  expect(notice!.deadline! - at).toBeGreaterThanOrEqual(30_000);
  expect(notice!.deadline! - at).toBeLessThanOrEqual(30_000 + took);
});

test('maintenance that ends the VM is a notice until it is called off, a migration is none', async () => {
  await using server = await new GcpMetadata().listen();
  await using watched = watching(server);
  await held(server);
  server.set(GCP_MAINTENANCE, 'MIGRATE_ON_HOST_MAINTENANCE');
  await server.more(1, GCP_MAINTENANCE);
  server.set(GCP_MAINTENANCE, 'TERMINATE_ON_HOST_MAINTENANCE');
  expect(await watched.word('gcp/maintenance', 2)).toMatchObject([
    { source: 'gcp/maintenance', kind: 'termination' },
  ]);
  server.set(GCP_MAINTENANCE, 'NONE');
  expect(await watched.word('gcp/maintenance', 3)).toEqual([]);
});

test('a preemption that was announced before the daemon came up is seen at once', async () => {
  await using server = await new GcpMetadata().listen();
  server.set(GCP_PREEMPTED, 'TRUE');
  await using watched = watching(server);
  expect(await watched.word('gcp/preempted', 1)).toHaveLength(1);
});

test('an answer that is held to its end says nothing new, and the deadline stays that of the first', async () => {
  await using server = await new GcpMetadata().listen();
  server.set(GCP_PREEMPTED, 'TRUE');
  await using watched = watching(server, { wait: 1000 });
  await watched.word('gcp/preempted', 1);
  await server.reaches(4, GCP_PREEMPTED);
  expect(watched.of('gcp/preempted')).toHaveLength(1);
  expect(watched.warnings()).toEqual([]);
});

test('an answer that is held for longer than was asked for is an error, and what changed meanwhile is told', async () => {
  await using server = await new GcpMetadata().listen();
  await using watched = watching(server, { wait: 1000, timeout: 100 });
  await watched.word('gcp/preempted', 1);
  server.fail('hang', { path: GCP_PREEMPTED, times: 1 });
  await server.reaches(2, GCP_PREEMPTED);
  server.set(GCP_PREEMPTED, 'TRUE');
  expect(await watched.word('gcp/preempted', 2)).toHaveLength(1);
  expect(watched.counters('gcp/preempted')).toMatchObject({ errors: 1, standing: 1, awaySince: null });
});

test('a server that holds nothing is asked once a second', async () => {
  await using server = await new GcpMetadata().listen();
  await using watched = watching(server);
  await held(server);
  for (let change = 0; change < 3; change++) {
    server.set(GCP_PREEMPTED, 'FALSE');
    await server.more(1, GCP_PREEMPTED);
  }
  const times = server.asked(GCP_PREEMPTED).map(({ at }) => at);
  for (const [index, at] of times.slice(2).entries()) expect(at - times[index + 1]!).toBeGreaterThan(950);
  expect(watched.of('gcp/preempted')).toHaveLength(1);
});

test('after an error the value is asked for and not waited for, so that all is known to be well again', async () => {
  await using server = await new GcpMetadata().listen();
  server.fail(503, { path: GCP_PREEMPTED, times: 2 });
  await using watched = watching(server);
  expect(await watched.word('gcp/preempted', 1)).toEqual([]);
  await server.reaches(4, GCP_PREEMPTED);
  server.fail('reset', { path: GCP_PREEMPTED, times: 1 });
  server.set(GCP_PREEMPTED, 'FALSE');
  await vi.waitUntil(() => watched.counters('gcp/preempted')?.errors === 3, { timeout: 30_000 });
  await vi.waitUntil(() => watched.counters('gcp/preempted')?.awaySince === null, { timeout: 30_000 });
  expect(watched.warnings()).toHaveLength(2);
});
