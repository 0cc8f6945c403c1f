import { expect, test } from 'vitest';
import { AlibabaMetadata } from '../../../support/metadata/alibaba.ts';
import { noticesConfig, Watched } from '../watched.ts';

const watching = (server: AlibabaMetadata) =>
  new Watched(noticesConfig(['alibaba'], { alibaba: { endpoint: server.url } }));

test('the time of release is the deadline, and can be taken back', async () => {
  await using server = await new AlibabaMetadata().listen();
  await using watched = watching(server);
  expect(await watched.word('alibaba/spot', 1)).toEqual([]);
  server.terminationTime = '2026-01-05T18:02:00Z';
  expect(await watched.word('alibaba/spot', 2)).toMatchObject([
    { source: 'alibaba/spot', kind: 'termination', deadline: Date.UTC(2026, 0, 5, 18, 2) },
  ]);
  server.terminationTime = null;
  expect(await watched.word('alibaba/spot', 3)).toEqual([]);
});

test('a time in another format is a notice without a deadline, and said', async () => {
  await using server = await new AlibabaMetadata().listen();
  server.terminationTime = '2026-01-05 18:02:00';
  await using watched = watching(server);
  expect(await watched.word('alibaba/spot', 1)).toMatchObject([{ deadline: null }]);
  expect(watched.warnings()).toMatchObject([{ message: expect.stringContaining('2026-01-05 18:02:00') }]);
});
